//! Prints by way of planes of luma and chroma: the JPEG that most people
//! upload. Samples pass through RGB only where a print asks for it: another
//! colour space, bars, or a format that stores RGB.

use super::{Counter, pixels};
use crate::Error;
use crate::colour::Conversion;
use crate::encode;
use crate::jpeg::{self, Header, Scale};
use crate::mosaic::Mosaic;
use crate::parallel::for_each;
use crate::picture::{Layout, Picture};
use crate::plan::geometry::Size;
use crate::plan::{Plan, PrintPlan, planar_conversion, planar_print};
use crate::planes::{Orientation, Planes, Print, Subsampling, make_prints, to_webp_yuv420};
use crate::recipe::Format;

pub(super) fn run(
    counter: &Counter<'_>,
    plan: &Plan<'_>,
    header: &Header<'_>,
    scale: Scale,
) -> Result<(), Error> {
    let source = counter.source;
    let conversion = planar_conversion(source, header);
    let planes = jpeg::decode_planes(source.bytes, header, scale, Vec::new())?;
    let (mosaics, resized): (Vec<&PrintPlan<'_>>, Vec<_>) =
        plan.prints.iter().partition(|print| print.is_whole_mosaic(source.seen()));
    let full = (source.stored.width, source.stored.height);

    let prints: Vec<Print> = resized.iter().map(|print| planar_print(print, conversion.is_some())).collect();
    make_prints(&planes, full, scale, source.orientation, &prints, counter.threads, &|index, planes| {
        let print = resized[index];
        let bytes = finish(counter, print, planes, conversion.as_ref())?;
        counter.hand_over(print, bytes);
        Ok(())
    })?;

    for_each(counter.threads, mosaics, |print| {
        let Some(grid) = print.grid() else { return Ok(()) };
        let mosaic = Mosaic::from_planes(&planes, full, scale, source.orientation, grid);
        let bytes = pixels::finish_mosaic(counter, print, mosaic, conversion.as_ref())?;
        counter.hand_over(print, bytes);
        Ok(())
    })
}

fn finish(
    counter: &Counter<'_>,
    print: &PrintPlan<'_>,
    planes: &Planes,
    conversion: Option<&Conversion>,
) -> Result<Vec<u8>, Error> {
    let attached = counter.attached(print);
    let quality = print.output.quality;
    let bars = print.placement.has_bars();
    match print.grid() {
        Some(grid) if !bars => {
            let size = (planes.width(), planes.height());
            let mosaic = Mosaic::from_planes(planes, size, Scale::Full, Orientation::UPRIGHT, grid);
            return pixels::finish_mosaic(counter, print, mosaic, conversion);
        }
        None if !bars && conversion.is_none() => match print.format {
            Format::Jpeg => return jpeg::encode_planes(planes, quality, encode::segments(attached)),
            Format::Webp => return encode::webp::encode_planes(&to_webp_yuv420(planes)?, quality, attached),
            Format::Png | Format::Gif => {}
        },
        _ => {}
    }
    let mut picture = picture(planes)?;
    if let Some(conversion) = conversion {
        conversion.apply(&mut picture);
    }
    pixels::finish(counter, print, picture.into())
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
