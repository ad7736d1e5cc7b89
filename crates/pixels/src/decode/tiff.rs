//! TIFF pixels: strips and tiles unpacked one after another into the picture.
//! Owns bit depths and what samples mean; `unpack` has the packings.
//!
//! Source: TIFF 6.0 and its Technical Note 2 (JPEG).

mod unpack;

use super::reduce::Reducer;
use super::{Coming, Decoded, Outlet, STRIP};
use crate::Error;
use crate::colour::{ColourSpace, Conversion, Model, cmyk_to_rgb};
use crate::geometry::{Scale, Size};
use crate::picture::{AnyPicture, Depth, Layout, Picture, Sample};
use crate::source::Source;
use crate::source::tiff::{Alpha, Compression, Photometric, TiffHeader, malformed};
use unpack::{Unpacked, short};

/// Whether [`decode`] takes a scale other than full: where samples of a pixel
/// stand together and have means.
pub(crate) fn reduces(header: &TiffHeader<'_>) -> bool {
    !header.planar && !matches!(header.photometric, Photometric::Palette | Photometric::Cmyk)
}

/// Decodes the page, at `scale` where it [`reduces`].
pub(crate) fn decode<'a>(
    source: &Source<'a>,
    header: &TiffHeader<'a>,
    scale: Scale,
    depth: Depth,
) -> Result<Decoded<'a>, Error> {
    let picture = if source.depth.min(depth) == Depth::Sixteen {
        AnyPicture::Sixteen(pixels::<u16>(source, header, scale)?)
    } else if header.photometric == Photometric::Cmyk {
        let inks = samples::<u8>(source, header)?;
        let conversion = Conversion::to_srgb(&source.colour, Model::Cmyk);
        let picture = cmyk_to_rgb(&inks, source.stored, conversion.as_ref());
        return Ok(Decoded { picture: AnyPicture::Eight(picture), colour: ColourSpace::Srgb });
    } else {
        AnyPicture::Eight(pixels::<u8>(source, header, scale)?)
    };
    Ok(Decoded { picture, colour: source.colour.clone() })
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted: the
/// samples that are kept, the picture made of them where they are not it or its
/// alpha may be idle, and what unpacks them.
pub(crate) fn memory(source: &Source<'_>, header: &TiffHeader<'_>, scale: Scale, depth: Depth) -> u64 {
    let pixels = scale.of_size(source.stored).pixels();
    let bytes = source.depth.min(depth).bytes();
    let kept = pixels * u64::from(header.kept()) * bytes;
    let made = match (header.photometric, header.alpha) {
        (Photometric::Palette | Photometric::Cmyk, _) => pixels * 3,
        (_, Alpha::Associated | Alpha::Straight) => pixels * 4 * bytes,
        _ => 0,
    };
    let averages = scale != Scale::Full;
    kept.saturating_add(made).saturating_add(unpacking(source, header, scale, bytes, averages))
}

/// Bytes that [`rows`] takes at its peak besides the rows that it gives.
pub(crate) fn rows_memory(source: &Source<'_>, header: &TiffHeader<'_>, scale: Scale) -> u64 {
    unpacking(source, header, scale, 1, true)
}

/// Bytes for one strip or tile unpacked (JPEG: with its file put together, and
/// what libjpeg holds; bits in reverse: with a copy of its bytes), and, where
/// rows are put together, what averages and a row of tiles for it.
fn unpacking(source: &Source<'_>, header: &TiffHeader<'_>, scale: Scale, bytes: u64, by_rows: bool) -> u64 {
    let rows = if header.tiled { header.chunk.height } else { header.chunk.height.min(source.stored.height) };
    let unpacked = header.row_bytes().saturating_mul(rows.into());
    let chunk = match header.compression {
        // libjpeg holds two bytes a coefficient of a progressive one, and gives
        // grey as RGB.
        Compression::Jpeg => unpacked.saturating_mul(6).saturating_add(source.bytes.len() as u64),
        Compression::None if !header.reversed => 0,
        _ => unpacked.saturating_add(if header.reversed { source.bytes.len() as u64 } else { 0 }),
    };
    let row = u64::from(header.chunk.width).saturating_mul(header.together() * 2);
    let channels = u64::from(header.kept());
    let band = if by_rows && header.grid(source.stored).0 > 1 {
        u64::from(source.stored.width).saturating_mul(u64::from(rows) * channels * bytes)
    } else {
        0
    };
    let reducer = Reducer::<u8>::memory(source.stored, channels, bytes, scale);
    reducer.saturating_add(band).saturating_add(chunk).saturating_add(row).saturating_add(1 << 20)
}

/// The nearest sample to one of 16 bits.
fn sixteen<S: Sample>(v: u16) -> S {
    S::from_u32((u32::from(v) * S::MAX + 32_767) / 65_535)
}

fn pixels<S: Sample>(
    source: &Source<'_>,
    header: &TiffHeader<'_>,
    scale: Scale,
) -> Result<Picture<S>, Error> {
    if header.photometric == Photometric::Palette {
        return palette(source, header);
    }
    let (size, mut samples) = if scale == Scale::Full {
        (source.stored, samples::<S>(source, header)?)
    } else {
        reduced::<S>(source, header, scale)?
    };
    let channels = usize::from(header.kept());
    if header.photometric == Photometric::WhiteIsZero {
        for pixel in samples.chunks_exact_mut(channels) {
            pixel[0] = S::from_u32(S::MAX - pixel[0].into());
        }
    }
    if header.alpha == Alpha::Associated {
        for pixel in samples.chunks_exact_mut(channels) {
            if let Some((alpha, colours)) = pixel.split_last_mut() {
                separate(colours, (*alpha).into());
            }
        }
    }
    Ok(match channels {
        1 => Picture::new(size, Layout::Grey, samples),
        2 => {
            let rgba = samples.chunks_exact(2).flat_map(|p| [p[0], p[0], p[0], p[1]]).collect();
            Picture::new(size, Layout::Rgba, rgba)
        }
        3 => Picture::new(size, Layout::Rgb, samples),
        _ => Picture::new(size, Layout::Rgba, samples),
    }
    .without_idle_alpha())
}

/// Colours that were multiplied by `alpha`, as they were before.
fn separate<S: Sample>(colours: &mut [S], alpha: u32) {
    if alpha == 0 || alpha == S::MAX {
        return;
    }
    for colour in colours {
        let v = (u64::from((*colour).into()) * u64::from(S::MAX) + u64::from(alpha) / 2) / u64::from(alpha);
        *colour = S::from_u32(v.min(S::MAX.into()) as u32);
    }
}

fn palette<S: Sample>(source: &Source<'_>, header: &TiffHeader<'_>) -> Result<Picture<S>, Error> {
    let entries = 1_u64 << header.bits.min(8);
    let map = header.palette.filter(|map| map.len() >= 3 * entries && header.bits <= 8);
    let map = map.ok_or_else(|| malformed("its palette is missing or too short"))?;
    let values: Vec<u16> = map.iter().map(|v| v as u16).collect();
    // 16 bits by the specification; some writers store 8 (as libtiff finds out too).
    let narrow = values.iter().all(|&v| v < 256);
    let value = |at: usize| {
        let v = values.get(at).copied().unwrap_or(0);
        if narrow { S::widened(v as u8) } else { sixteen(v) }
    };
    let entries = entries as usize;
    let colours: Vec<[S; 3]> =
        (0..entries).map(|i| [value(i), value(entries + i), value(2 * entries + i)]).collect();
    // Indices are scaled to the whole range on the way: this takes them back.
    let step = 255 / (entries as u32 - 1);
    let indices = samples::<u8>(source, header)?;
    let rgb = indices.iter().flat_map(|&i| colours[(u32::from(i) / step) as usize]).collect();
    Ok(Picture::new(source.stored, Layout::Rgb, rgb))
}

/// The samples that are kept of every pixel, interleaved, over the whole range
/// of `S`.
fn samples<S: Sample>(source: &Source<'_>, header: &TiffHeader<'_>) -> Result<Vec<S>, Error> {
    let size = source.stored;
    let kept = usize::from(header.kept());
    let mut samples = vec![S::default(); size.pixels() as usize * kept];
    let (across, down) = header.grid(size);
    let planes = if header.planar { kept as u64 } else { 1 };
    let mut unpacked = Unpacked::default();
    for plane in 0..planes {
        for row in 0..down {
            for column in 0..across {
                let index = (plane * down + row) * across + column;
                let place = Place {
                    x: column as usize * header.chunk.width as usize,
                    y: row as usize * header.chunk.height as usize,
                    plane: plane as usize,
                };
                let rows = if header.tiled {
                    header.chunk.height
                } else {
                    header.chunk.height.min(size.height - place.y as u32)
                };
                let bytes = unpacked.chunk(source.bytes, header, index, rows)?;
                lay(&mut samples, size, header, &bytes, &place);
            }
        }
    }
    Ok(samples)
}

/// See [`super::rows`]: no alpha, and what [`reduces`].
pub(crate) fn rows<'a>(
    source: &Source<'a>,
    header: &TiffHeader<'a>,
    scale: Scale,
    outlet: Outlet<'_, 'a>,
) -> Result<(), Error> {
    outlet(Coming::Colour(source.colour.clone()))?;
    let inverted = header.photometric == Photometric::WhiteIsZero;
    let mut hand_on = |mut samples: Vec<u8>| {
        if inverted {
            for sample in &mut samples {
                *sample = 255 - *sample;
            }
        }
        outlet(Coming::Rows(samples))
    };
    let kept = usize::from(header.kept());
    let mut reducer = Reducer::<u8>::holding(STRIP, source.stored, kept, false, scale);
    push_all(source, header, &mut reducer, &mut |reducer| reducer.hand_on(&mut hand_on))?;
    reducer.finish_rows(&mut hand_on).ok_or_else(short)?
}

/// The same for a picture whose samples stand together, averaged: one strip
/// or row of tiles is held at a time. Premultiplied colours and inverted ones
/// have the means that they should have; straight ones are weighted.
fn reduced<S: Sample>(
    source: &Source<'_>,
    header: &TiffHeader<'_>,
    scale: Scale,
) -> Result<(Size, Vec<S>), Error> {
    let kept = usize::from(header.kept());
    let mut reducer = Reducer::new(source.stored, kept, header.alpha == Alpha::Straight, scale);
    push_all(source, header, &mut reducer, &mut |_| Ok(()))?;
    reducer.finish().ok_or_else(short)
}

/// Gives all rows to `reducer`, and says so `after` each.
fn push_all<S: Sample>(
    source: &Source<'_>,
    header: &TiffHeader<'_>,
    reducer: &mut Reducer<S>,
    after: &mut dyn FnMut(&mut Reducer<S>) -> Result<(), Error>,
) -> Result<(), Error> {
    let size = source.stored;
    let kept = usize::from(header.kept());
    let (across, down) = header.grid(size);
    let (width, together) = (size.width as usize, header.together() as usize);
    let mut unpacked = Unpacked::default();
    let (mut band, mut values): (Vec<S>, Vec<S>) = Default::default();
    for row in 0..down {
        let height = header.chunk.height.min(size.height - row as u32 * header.chunk.height);
        let rows = if header.tiled { header.chunk.height } else { height };
        if across == 1 {
            let bytes = unpacked.chunk(source.bytes, header, row, rows)?;
            for row in bytes.chunks_exact(header.row_bytes() as usize).take(height as usize) {
                widen(header, row, &mut values);
                let pixels = values.chunks_exact(together).take(width);
                reducer.push(pixels.flat_map(|pixel| pixel[..kept].iter().copied()));
                after(reducer)?;
            }
            continue;
        }
        band.resize(width * height as usize * kept, S::default());
        for column in 0..across {
            let place = Place { x: column as usize * header.chunk.width as usize, y: 0, plane: 0 };
            let bytes = unpacked.chunk(source.bytes, header, row * across + column, rows)?;
            lay(&mut band, size, header, &bytes, &place);
        }
        for row in band.chunks_exact(width * kept) {
            reducer.push(row.iter().copied());
            after(reducer)?;
        }
    }
    Ok(())
}

/// Where a strip or tile goes.
struct Place {
    x: usize,
    y: usize,
    plane: usize,
}

/// Copies what is kept of an unpacked strip or tile into the picture's samples.
fn lay<S: Sample>(samples: &mut [S], size: Size, header: &TiffHeader<'_>, bytes: &[u8], place: &Place) {
    let kept = usize::from(header.kept());
    let together = header.together() as usize;
    let width = (header.chunk.width as usize).min(size.width as usize - place.x);
    let stride = size.width as usize * kept;
    let targets = samples.chunks_exact_mut(stride).skip(place.y);
    let mut values: Vec<S> = Vec::new();
    for (target, row) in targets.zip(bytes.chunks_exact(header.row_bytes() as usize)) {
        widen(header, row, &mut values);
        let target = &mut target[place.x * kept..(place.x + width) * kept];
        if header.planar {
            for (pixel, &v) in target.chunks_exact_mut(kept).zip(&values) {
                pixel[place.plane] = v;
            }
        } else if together == kept {
            target.copy_from_slice(&values[..width * kept]);
        } else {
            for (pixel, stored) in target.chunks_exact_mut(kept).zip(values.chunks_exact(together)) {
                pixel.copy_from_slice(&stored[..kept]);
            }
        }
    }
}

/// The samples of a row over the whole range of `S`.
fn widen<S: Sample>(header: &TiffHeader<'_>, row: &[u8], values: &mut Vec<S>) {
    values.clear();
    match header.bits {
        8 => values.extend(row.iter().map(|&v| S::widened(v))),
        16 => {
            let (pairs, _) = row.as_chunks::<2>();
            if header.little {
                values.extend(pairs.iter().map(|&b| sixteen::<S>(u16::from_le_bytes(b))));
            } else {
                values.extend(pairs.iter().map(|&b| sixteen::<S>(u16::from_be_bytes(b))));
            }
        }
        bits => {
            let most = (1_u32 << bits) - 1;
            let (mut held, mut count) = (0_u32, 0);
            for &byte in row {
                held = (held << 8 | u32::from(byte)) & 0x00ff_ffff;
                count += 8;
                while count >= bits {
                    count -= bits;
                    values.push(S::from_u32(((held >> count & most) * S::MAX + most / 2) / most));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn associated_alpha_is_taken_out_again() {
        let mut colours = [64_u8, 128, 0];
        separate(&mut colours, 128);
        assert_eq!(colours, [128, 255, 0]);
        let mut more_than_alpha = [200_u8];
        separate(&mut more_than_alpha, 100);
        assert_eq!(more_than_alpha, [255]);
        let mut wide = [30_000_u16];
        separate(&mut wide, 32_768);
        assert_eq!(wide, [59_999]);
    }
}
