//! PNG pixels over the `png` crate: palettes, low bit depths and tRNS expanded,
//! 16 bits rounded to 8, grey with alpha widened to RGBA.

use crate::Error;
use crate::colour::{ColourSpace, Conversion, Model};
use crate::error::Limit;
use crate::picture::{Layout, Picture};
use crate::plan::geometry::Size;
use crate::source::png::{LARGEST_PROFILE, PngHeader};
use crate::source::{Source, at_most};
use png::{BitDepth, ColorType, DecodingError, Transformations};
use std::borrow::Cow;
use std::io::Cursor;

/// Decodes the picture (the default one of an animation), in sRGB.
pub(crate) fn decode(source: &Source<'_>, header: &PngHeader) -> Result<Picture, Error> {
    let line = u64::from(source.stored.width) * header.expanded_bytes();
    let mut decoder = png::Decoder::new_with_limits(
        Cursor::new(source.bytes),
        png::Limits { bytes: (LARGEST_PROFILE as u64 + 8 * line) as usize },
    );
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(refused)?;
    let info = reader.info();
    if (info.width, info.height) != (source.stored.width, source.stored.height) {
        return Err(Error::Malformed { format: "PNG", detail: "its headers contradict each other".into() });
    }
    let profile = match (&source.colour, &info.icc_profile) {
        (ColourSpace::InFile, Some(icc)) => ColourSpace::Icc(Cow::Owned(icc.to_vec())),
        (space, _) => space.clone(),
    };
    let (colour, depth) = reader.output_color_type();
    let mut samples = Samples::new(source.stored, colour, depth);
    if reader.info().interlaced {
        let length = reader
            .output_buffer_size()
            .ok_or_else(|| Error::Malformed { format: "PNG", detail: "its size overflows".into() })?;
        let mut raw = vec![0_u8; length];
        reader.next_frame(&mut raw).map_err(refused)?;
        samples.push(&raw);
    } else {
        while let Some(row) = reader.next_row().map_err(refused)? {
            samples.push(row.data());
        }
    }
    let model = if samples.layout == Layout::Grey { Model::Grey } else { Model::Rgb };
    let mut picture = samples.finish()?.without_idle_alpha();
    if let Some(conversion) = Conversion::to_srgb(&profile, model) {
        conversion.apply(&mut picture);
    }
    Ok(picture)
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted: the
/// 8-bit picture, a second copy while idle alpha is dropped or the interlaced
/// raw one, some rows, the profile and the inflate window.
pub(crate) fn memory(source: &Source<'_>, header: &PngHeader) -> u64 {
    let pixels = source.stored.pixels();
    let picture = pixels * if header.expanded_bytes().is_multiple_of(3) { 3 } else { 4 };
    let raw = if header.interlaced { pixels * header.expanded_bytes() } else { 0 };
    let copy = if header.alpha { pixels * 3 } else { 0 };
    let line = u64::from(source.stored.width) * header.expanded_bytes();
    picture + raw.max(copy) + 8 * line + LARGEST_PROFILE as u64 + (1 << 20)
}

fn refused(error: DecodingError) -> Error {
    match error {
        DecodingError::LimitsExceeded => {
            let limit = LARGEST_PROFILE as u64;
            at_most(Limit::Memory, "a compressed text or profile", limit + 1, limit, "bytes or more")
                .err()
                .unwrap_or_else(|| Error::Malformed { format: "PNG", detail: "over its limits".into() })
        }
        DecodingError::IoError(_) => Error::Malformed { format: "PNG", detail: "it is cut off".into() },
        other => Error::Malformed { format: "PNG", detail: other.to_string() },
    }
}

/// Rows of decoded samples, gathered as 8-bit pixels.
struct Samples {
    size: Size,
    colour: ColorType,
    depth: BitDepth,
    layout: Layout,
    pixels: Vec<u8>,
}

impl Samples {
    fn new(size: Size, colour: ColorType, depth: BitDepth) -> Self {
        let layout = match colour {
            ColorType::Grayscale => Layout::Grey,
            ColorType::Rgb | ColorType::Indexed => Layout::Rgb,
            ColorType::GrayscaleAlpha | ColorType::Rgba => Layout::Rgba,
        };
        let capacity = size.pixels() as usize * layout.channels();
        Self { size, colour, depth, layout, pixels: Vec::with_capacity(capacity) }
    }

    fn push(&mut self, raw: &[u8]) {
        if self.depth == BitDepth::Sixteen {
            let (wide, _) = raw.as_chunks::<2>();
            self.push_samples(wide.iter().map(|b| narrowed(u16::from_be_bytes(*b))));
        } else if self.colour == ColorType::GrayscaleAlpha {
            self.push_samples(raw.iter().copied());
        } else {
            self.pixels.extend_from_slice(raw);
        }
    }

    fn push_samples(&mut self, mut samples: impl Iterator<Item = u8>) {
        if self.colour == ColorType::GrayscaleAlpha {
            while let (Some(v), Some(a)) = (samples.next(), samples.next()) {
                self.pixels.extend([v, v, v, a]);
            }
        } else {
            self.pixels.extend(samples);
        }
    }

    fn finish(self) -> Result<Picture, Error> {
        if self.pixels.len() as u64 != self.size.pixels() * self.layout.channels() as u64 {
            return Err(Error::Malformed { format: "PNG", detail: "it is cut off".into() });
        }
        Ok(Picture::new(self.size, self.layout, self.pixels))
    }
}

/// 16 bits to the nearest 8.
fn narrowed(v: u16) -> u8 {
    ((u32::from(v) * 255 + 32_767) / 65_535) as u8
}

#[cfg(test)]
mod tests {
    #[test]
    fn sixteen_bits_are_rounded_not_cut() {
        for (wide, narrow) in
            [(0, 0), (128, 0), (129, 1), (257, 1), (65_535, 255), (65_406, 254), (65_407, 255)]
        {
            assert_eq!(super::narrowed(wide), narrow, "{wide}");
        }
    }
}
