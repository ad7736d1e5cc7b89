//! PNG pixels over the `png` crate: palettes, low bit depths and tRNS expanded,
//! grey with alpha widened to RGBA, 16 bits kept where they are wanted.

mod frames;

pub(crate) use frames::{Frames, frames_memory};

use super::reduce::Reducer;
use super::{Coming, Decoded, Outlet, STRIP};
use crate::Error;
use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::geometry::{Scale, Size};
use crate::picture::{AnyPicture, Depth, Layout, Picture, Sample};
use crate::source::png::PngHeader;
use crate::source::{LARGEST_PROFILE, Source};
use png::{BitDepth, ColorType, DecodingError, Reader, Transformations};
use std::borrow::Cow;
use std::io::Cursor;

type Open<'a> = Reader<Cursor<&'a [u8]>>;

/// Decodes the picture (the default one of an animation).
pub(crate) fn decode<'a>(
    source: &Source<'a>,
    header: &PngHeader,
    scale: Scale,
    depth: Depth,
) -> Result<Decoded<'a>, Error> {
    let (mut reader, colour) = open(source, header)?;
    let wide = reader.output_color_type().1 == BitDepth::Sixteen;
    let picture = match depth {
        Depth::Sixteen if wide => {
            AnyPicture::Sixteen(gather(&mut reader, source.stored, scale, u16::from_be_bytes)?)
        }
        _ if wide => AnyPicture::Eight(gather(&mut reader, source.stored, scale, narrowed)?),
        _ => AnyPicture::Eight(gather(&mut reader, source.stored, scale, |[b]| b)?),
    };
    Ok(Decoded { picture, colour })
}

/// See [`super::rows`]: no alpha, not interlaced.
pub(crate) fn rows<'a>(
    source: &Source<'a>,
    header: &PngHeader,
    scale: Scale,
    outlet: Outlet<'_, 'a>,
) -> Result<(), Error> {
    let (mut reader, colour) = open(source, header)?;
    let channels = source.layout.channels();
    if reader.output_color_type().0.samples() != channels {
        return Err(contradiction());
    }
    outlet(Coming::Colour(colour))?;
    let mut hand_on = |samples| outlet(Coming::Rows(samples));
    let mut rows = Reducer::holding(STRIP, source.stored, channels, false, scale);
    let wide = reader.output_color_type().1 == BitDepth::Sixteen;
    while let Some(row) = reader.next_row().map_err(refused)? {
        if wide {
            rows.push(row.data().as_chunks::<2>().0.iter().map(|&bytes| narrowed(bytes)));
        } else {
            rows.push(row.data().iter().copied());
        }
        rows.hand_on(&mut hand_on)?;
    }
    rows.finish_rows(&mut hand_on).ok_or_else(cut_off)?
}

fn narrowed(bytes: [u8; 2]) -> u8 {
    u16::from_be_bytes(bytes).narrowed()
}

fn contradiction() -> Error {
    Error::Malformed { format: "PNG", detail: "its headers contradict each other".into() }
}

fn cut_off() -> Error {
    Error::Malformed { format: "PNG", detail: "it is cut off".into() }
}

/// What decodes the picture, and what its samples mean.
fn open<'a>(source: &Source<'a>, header: &PngHeader) -> Result<(Open<'a>, ColourSpace<'a>), Error> {
    let line = u64::from(source.stored.width) * header.expanded_bytes(source.layout);
    let mut decoder = png::Decoder::new_with_limits(
        Cursor::new(source.bytes),
        png::Limits { bytes: (LARGEST_PROFILE as u64 + 8 * line) as usize },
    );
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    let reader = decoder.read_info().map_err(refused)?;
    let info = reader.info();
    if (info.width, info.height) != (source.stored.width, source.stored.height) {
        return Err(contradiction());
    }
    let colour = match (&source.colour, &info.icc_profile) {
        (ColourSpace::InFile { .. }, Some(icc)) => ColourSpace::Icc(Cow::Owned(icc.to_vec())),
        (ColourSpace::InFile { .. }, None) => ColourSpace::Srgb,
        (space, _) => space.clone(),
    };
    Ok((reader, colour))
}

/// All pixels at `scale`, each sample made of its `N` bytes in the file by `sample`.
fn gather<S: Sample, const N: usize>(
    reader: &mut Open<'_>,
    size: Size,
    scale: Scale,
    sample: impl Fn([u8; N]) -> S,
) -> Result<Picture<S>, Error> {
    let (layout, grey_alpha) = match reader.output_color_type().0 {
        ColorType::Grayscale => (Layout::Grey, false),
        ColorType::Rgb | ColorType::Indexed => (Layout::Rgb, false),
        ColorType::GrayscaleAlpha => (Layout::Rgba, true),
        ColorType::Rgba => (Layout::Rgba, false),
    };
    let mut rows = Reducer::new(size, layout.channels(), layout == Layout::Rgba, scale);
    let mut push = |raw: &[u8]| {
        let samples = raw.as_chunks::<N>().0;
        if grey_alpha {
            let pairs = samples.as_chunks::<2>().0.iter().map(|[v, a]| (sample(*v), sample(*a)));
            rows.push(pairs.flat_map(|(v, a)| [v, v, v, a]));
        } else {
            rows.push(samples.iter().map(|bytes| sample(*bytes)));
        }
    };
    if reader.info().interlaced {
        let length = reader
            .output_buffer_size()
            .ok_or_else(|| Error::Malformed { format: "PNG", detail: "its size overflows".into() })?;
        let mut raw = vec![0_u8; length];
        let line = reader.next_frame(&mut raw).map_err(refused)?.line_size;
        raw.chunks_exact(line).for_each(push);
    } else {
        while let Some(row) = reader.next_row().map_err(refused)? {
            push(row.data());
        }
    }
    let (size, pixels) = rows.finish().ok_or_else(cut_off)?;
    Ok(Picture::new(size, layout, pixels).without_idle_alpha())
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted: the
/// picture, a second copy while idle alpha is dropped or the interlaced raw
/// one, what averages, some rows, the profile and the inflate window.
pub(crate) fn memory(source: &Source<'_>, header: &PngHeader, scale: Scale, depth: Depth) -> u64 {
    let pixels = scale.of_size(source.stored).pixels();
    let sample = source.depth.min(depth).bytes();
    let picture = pixels * sample * source.layout.channels() as u64;
    let raw = if header.interlaced { pixels * header.expanded_bytes(source.layout) } else { 0 };
    let copy = if source.layout == Layout::Rgba { pixels * sample * 3 } else { 0 };
    picture + raw.max(copy) + decoder_memory(source, header, scale, sample)
}

/// Bytes that [`rows`] takes at its peak besides the rows that it gives.
pub(crate) fn rows_memory(source: &Source<'_>, header: &PngHeader, scale: Scale) -> u64 {
    decoder_memory(source, header, scale, 1)
}

fn decoder_memory(source: &Source<'_>, header: &PngHeader, scale: Scale, sample: u64) -> u64 {
    let line = u64::from(source.stored.width) * header.expanded_bytes(source.layout);
    let reducer = Reducer::<u8>::memory(source.stored, source.layout.channels() as u64, sample, scale);
    reducer + 8 * line + LARGEST_PROFILE as u64 + (1 << 20)
}

fn refused(error: DecodingError) -> Error {
    match error {
        DecodingError::LimitsExceeded => {
            let limit = LARGEST_PROFILE as u64;
            at_most(Limit::Memory, "a compressed text or profile", limit + 1, limit, "bytes or more")
                .err()
                .unwrap_or_else(|| Error::Malformed { format: "PNG", detail: "over its limits".into() })
        }
        DecodingError::IoError(_) => cut_off(),
        other => Error::Malformed { format: "PNG", detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_rounded_not_cut() {
        for (wide, narrow) in
            [(0_u16, 0), (128, 0), (129, 1), (257, 1), (65_535, 255), (65_406, 254), (65_407, 255)]
        {
            assert_eq!(wide.narrowed(), narrow, "{wide}");
        }
    }
}
