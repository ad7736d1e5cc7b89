//! Prints by way of planes of luma and chroma: the JPEG that most people
//! upload. Samples pass through RGB only where a print asks for it: another
//! colour space, bars, or a format that stores RGB.

use super::counter::Counter;
use super::{finish, pixels};
use crate::Error;
use crate::plan::{Plan, PrintPlan, is_direct};
use crate::recipe::Quality;
use minilab_pixels::colour::Conversion;
use minilab_pixels::encode;
use minilab_pixels::geometry::{CropBox, Orientation, Rectangle, Scale, Size, Subsampling};
use minilab_pixels::jpeg::{self, Header, stream_prints};
use minilab_pixels::mosaic::{self, Mosaic};
use minilab_pixels::parallel::for_each;
use minilab_pixels::picture::{Layout, Picture};
use minilab_pixels::planes::{Decoded, Planes, Print, make_prints};
use minilab_pixels::source::Source;
use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes that a thread keeps for its next picture: 20 megapixels of
/// 4:2:0. Small beside what a function's memory leaves over its limits.
const KEPT: usize = 32 << 20;

thread_local! {
    /// The last picture's samples. Fresh memory costs a page fault for every
    /// 4 KiB: as much as a third of a decode.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

pub(super) fn run(
    counter: &Counter<'_>,
    plan: &Plan<'_>,
    header: &Header<'_>,
    scale: Scale,
) -> Result<(), Error> {
    let planes = jpeg::decode_planes(counter.source.bytes, header, scale, counter.threads(), BUFFER.take())?;
    of_whole(counter, plan, scale, planes)
}

/// Makes all prints of a picture that is not mosaicked or looked at, row by row
/// while it is decoded, and while its bytes come. `false` where it is not sound:
/// nothing was handed over.
pub(super) fn streamed(
    counter: &Counter<'_>,
    plan: &Plan<'_>,
    header: &Header<'_>,
    scale: Scale,
) -> Result<bool, Error> {
    let source = counter.source;
    counter.set_colour(&source.colour);
    let listed = plan.planar_prints();
    let conversion = plan.conversion.as_deref();
    let done = |index: usize, planes: &Planes| turned(counter, &plan.prints[index], planes, conversion);
    let Some(scan) = jpeg::Scan::read(source.bytes, header) else { return Ok(false) };
    let in_time = || counter.in_time();
    stream_prints(&scan, decoded(source, scale), &listed, counter.threads(), (&in_time, &done))
}

/// The same for a picture that is there, sound or not.
pub(super) fn flow(
    counter: &Counter<'_>,
    plan: &Plan<'_>,
    header: &Header<'_>,
    scale: Scale,
) -> Result<(), Error> {
    if streamed(counter, plan, header, scale)? {
        return Ok(());
    }
    let source = counter.source;
    // Damage that libjpeg may call harmless, but for which it holds all planes.
    let planes = header.planes_memory(scale);
    if plan.least.saturating_add(planes) > counter.limits.memory {
        let detail = "its entropy-coded data are damaged, and it is too large to be held while libjpeg judges them; save it anew or raise limits.memory";
        return Err(Error::Malformed { format: "JPEG", detail: detail.into() });
    }
    if plan.memory.saturating_add(planes) > counter.limits.memory {
        counter.set_threads(1);
    }
    let planes = jpeg::decode_by_libjpeg(source.bytes, header, scale, BUFFER.take())?;
    of_whole(counter, plan, scale, planes)
}

fn of_whole(counter: &Counter<'_>, plan: &Plan<'_>, scale: Scale, planes: Planes) -> Result<(), Error> {
    let done = prints(counter, plan, scale, &planes);
    let buffer = planes.into_buffer();
    if buffer.capacity() <= KEPT {
        BUFFER.set(buffer);
    }
    done
}

fn decoded(source: &Source<'_>, scale: Scale) -> Decoded {
    Decoded { full: source.stored, scale, orientation: source.orientation }
}

/// One print, turned as its recipe asks.
fn turned(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    planes: &Planes,
    conversion: Option<&Conversion<u8>>,
) -> Result<(), Error> {
    let conversion = conversion.filter(|_| !print.keeps_colour());
    if print.placement.turn == Orientation::UPRIGHT {
        return one(counter, print, planes, conversion);
    }
    one(counter, print, &planes.clone().oriented(print.placement.turn), conversion)
}

fn prints(counter: &Counter<'_>, plan: &Plan<'_>, scale: Scale, planes: &Planes) -> Result<(), Error> {
    let source = counter.source;
    counter.set_colour(&source.colour);
    let conversion = plan.conversion.as_deref();
    let full = (source.stored.width, source.stored.height);
    let settled = settled(counter, plan, planes, scale, conversion)?;
    let plan = settled.as_ref().unwrap_or(plan);
    counter.set_threads(counter.threads().min(plan.threads));
    let each = plan.prints.iter().zip(plan.planar_prints());
    let (mosaics, resized): (Vec<_>, Vec<_>) =
        each.partition(|(print, _)| print.is_whole_mosaic(source.seen()));
    let mosaics: Vec<&PrintPlan<'_>> = mosaics.into_iter().map(|(print, _)| print).collect();
    let (resized, listed): (Vec<&PrintPlan<'_>>, Vec<Print>) = resized.into_iter().unzip();
    make_prints(planes, decoded(source, scale), &listed, counter.threads(), &|index, planes| {
        turned(counter, resized[index], planes, conversion)
    })?;

    if mosaics.is_empty() {
        return Ok(());
    }
    // Cells are means of many pixels: a coarser picture gives the same ones.
    let coarse = mosaics.iter().filter_map(|print| Some(mosaic::scale_for(print.grid()?, full))).min();
    let coarse = coarse.unwrap_or(scale).max(scale);
    let averaged = averaged(planes, coarse.denominator() / scale.denominator());
    let planes = averaged.as_ref().unwrap_or(planes);
    let converted = conversion.map(|conversion| converted(planes, conversion)).transpose()?;
    let planes = converted.as_ref().unwrap_or(planes);
    for_each(counter.threads(), mosaics, |print| {
        let Some(grid) = print.grid() else { return Ok(()) };
        let mosaic = Mosaic::from_planes(planes, full, coarse, source.orientation, grid);
        finish::finish_mosaic(counter, print, mosaic)
    })
}

/// The plan once the picture has been looked at, where prints depend on it.
fn settled<'r>(
    counter: &Counter<'_>,
    plan: &Plan<'r>,
    planes: &Planes,
    scale: Scale,
    conversion: Option<&Conversion<u8>>,
) -> Result<Option<Plan<'r>>, Error> {
    if !plan.prints.iter().any(PrintPlan::is_attentive) {
        return Ok(None);
    }
    let source = counter.source;
    let seen = source.seen();
    let Size { width, height } = pixels::small_size(seen);
    let print = Print { crop: CropBox::of(seen), width, height, subsampling: Subsampling::S444 };
    let found: Mutex<Option<Picture>> = Mutex::new(None);
    make_prints(planes, decoded(source, scale), &[print], 1, &|_, planes| {
        *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(picture(planes)?);
        Ok(())
    })?;
    let Some(mut small) = found.into_inner().unwrap_or_else(PoisonError::into_inner) else { return Ok(None) };
    if let Some(conversion) = conversion {
        conversion.apply(&mut small);
    }
    let focus = |part: Rectangle, crop: (f64, f64)| pixels::focus(&small, seen, part, crop);
    let context = (counter.recipe, counter.limits);
    plan.settled(source, counter.source_key, context, &|_| Rectangle::of(seen), &focus).map(Some)
}

/// Planes of the means of `factor` × `factor` samples, the last ones of a row or
/// column of those that there are: what a decode at a coarser scale gives.
/// `None` where they are coarse enough as they are.
fn averaged(planes: &Planes, factor: u32) -> Option<Planes> {
    if factor <= 1 {
        return None;
    }
    let subsampling = planes.subsampling();
    let (width, height) = (planes.width().div_ceil(factor), planes.height().div_ceil(factor));
    let mut coarse = Planes::uninitialised(width, height, subsampling, Vec::new());
    let sizes = [0, 1, 2].map(|index| coarse.dimensions(index));
    for (index, target) in coarse.split_mut().into_iter().enumerate().take(subsampling.planes()) {
        let plane = planes.plane(index);
        let (columns, rows, stride) = sizes[index];
        let mut sums = vec![0_u32; columns as usize];
        for y in 0..rows {
            let band = y * factor..((y + 1) * factor).min(plane.height);
            sums.fill(0);
            for row in band.clone() {
                for (sum, samples) in sums.iter_mut().zip(plane.row(row).chunks(factor as usize)) {
                    *sum += samples.iter().map(|&sample| u32::from(sample)).sum::<u32>();
                }
            }
            let start = y as usize * stride as usize;
            for ((sample, &sum), x) in target[start..].iter_mut().zip(&sums).zip(0..) {
                let count = (factor.min(plane.width - x * factor)) * band.len() as u32;
                *sample = ((sum + count / 2) / count) as u8;
            }
        }
    }
    Some(coarse)
}

/// Planes in sRGB. Colour is converted before cells are averaged, since what
/// lies outside sRGB is cut off pixel by pixel.
fn converted(planes: &Planes, conversion: &Conversion<u8>) -> Result<Planes, Error> {
    let mut picture = picture(planes)?;
    conversion.apply(&mut picture);
    let Size { width, height } = picture.size;
    let subsampling = planes.subsampling();
    Ok(Planes::from_rgb(&picture.into_rgb().pixels, width, height, subsampling))
}

/// One print whose planes have its size.
fn one(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    planes: &Planes,
    conversion: Option<&Conversion<u8>>,
) -> Result<(), Error> {
    if is_direct(print) {
        let srgb = match (print.grid(), conversion) {
            (Some(_), Some(conversion)) => Some(converted(planes, conversion)?),
            _ => None,
        };
        if let Some(grid) = print.grid() {
            let planes = srgb.as_ref().unwrap_or(planes);
            let size = (planes.width(), planes.height());
            let mosaic = Mosaic::from_planes(planes, size, Scale::Full, Orientation::UPRIGHT, grid);
            return finish::finish_mosaic(counter, print, mosaic);
        }
        if let (None, Quality::Fixed(quality)) = (conversion, print.output.quality) {
            counter.in_time()?;
            let attached = counter.attached(print);
            let job = counter.job(print, &attached);
            if let Some(bytes) = encode::planar(planes, print.format(), quality, &job)? {
                return counter.hand_over(print, print.format(), bytes);
            }
        }
    }
    let mut picture = picture(planes)?;
    if let Some(conversion) = conversion {
        conversion.apply(&mut picture);
    }
    finish::finish(counter, print, Arc::new(picture))
}

fn picture(planes: &Planes) -> Result<Picture, Error> {
    let size = Size::new(planes.width(), planes.height());
    if planes.subsampling() == Subsampling::Gray {
        let luma = planes.plane(0);
        let pixels = (0..luma.height).flat_map(|y| luma.row(y)).copied().collect();
        return Ok(Picture::new(size, Layout::Grey, pixels));
    }
    Ok(Picture::new(size, Layout::Rgb, planes.to_rgb()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_the_samples_that_there_are() {
        let mut planes = Planes::uninitialised(5, 3, Subsampling::Gray, Vec::new());
        planes.samples_mut().copy_from_slice(&[0, 4, 10, 20, 7, 8, 12, 10, 20, 8, 1, 2, 3, 4, 5]);
        let coarse = averaged(&planes, 2).unwrap();
        assert_eq!((coarse.width(), coarse.height()), (3, 2));
        assert_eq!(coarse.samples(), [6, 15, 8, 2, 4, 5]);
    }

    #[test]
    fn flat_colour_stays_whatever_the_subsampling() {
        let rgb = [200, 90, 30].repeat(37 * 23);
        for subsampling in [Subsampling::S444, Subsampling::S422, Subsampling::S420, Subsampling::S440] {
            let planes = Planes::from_rgb(&rgb, 37, 23, subsampling);
            let first = [0, 1, 2].map(|index| planes.plane(index).row(0)[0]);
            let coarse = averaged(&planes, 4).unwrap();
            for (index, &sample) in first.iter().enumerate() {
                let plane = coarse.plane(index);
                assert!(
                    (0..plane.height).all(|y| plane.row(y).iter().all(|&s| s == sample)),
                    "{subsampling:?}"
                );
            }
        }
    }
}
