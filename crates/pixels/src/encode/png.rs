//! PNG over the `png` crate, or, for more effort, oxipng: a palette where 256
//! colours suffice, else 8 or 16 bits a sample.

use super::palette::Indexed;
use crate::Error;
use crate::metadata::Attached;
use crate::picture::{Depth, Layout, Picture, Sample};
use oxipng::{Deflater, FilterStrategy, RawImage, indexset};
use png::chunk::ChunkType;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};
use std::borrow::Cow;

/// How a PNG is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    /// 0 (fastest) to 9 (smallest). Every effort keeps every sample.
    pub(crate) effort: u8,
    /// At most so many colours, 2 to 256: the one option that loses something.
    pub(crate) colours: Option<u16>,
    /// Whether colours that are missing are mixed of those that there are.
    pub(crate) dither: bool,
}

/// The effort of a print whose recipe names none.
pub(crate) const EFFORT: u8 = 1;

impl Default for Options {
    fn default() -> Self {
        Self { effort: EFFORT, colours: None, dither: true }
    }
}

/// Samples as they stand in the file, before filtering.
struct Raw<'a> {
    width: u32,
    height: u32,
    colour: ColorType,
    depth: BitDepth,
    /// RGBA; empty but for [`ColorType::Indexed`].
    palette: Vec<[u8; 4]>,
    /// Rows, each beginning on a byte, 16 bits big-endian.
    rows: Cow<'a, [u8]>,
}

pub(crate) fn encode<S: Sample>(
    picture: &Picture<S>,
    options: Options,
    attached: &Attached,
) -> Result<Vec<u8>, Error> {
    let raw = Raw::of(picture, options);
    match options.effort {
        0..=2 => raw.written(options.effort, attached),
        effort => raw.optimised(effort, attached),
    }
}

impl<'a> Raw<'a> {
    fn of<S: Sample>(picture: &'a Picture<S>, options: Options) -> Self {
        let indexed = match options.colours {
            Some(most) => Some(Indexed::reduced(&S::eight(picture), most, options.dither)),
            // Grey is as small as a palette of greys.
            None if S::DEPTH == Depth::Eight && picture.layout != Layout::Grey => {
                Indexed::exact(&S::eight(picture))
            }
            None => None,
        };
        let (width, height) = (picture.size.width, picture.size.height);
        if let Some(indexed) = indexed {
            let depth = match indexed.colours.len() {
                0..=2 => BitDepth::One,
                3..=4 => BitDepth::Two,
                5..=16 => BitDepth::Four,
                _ => BitDepth::Eight,
            };
            let rows = packed(&indexed.indices, width as usize, depth).into();
            return Self { width, height, colour: ColorType::Indexed, depth, palette: indexed.colours, rows };
        }
        let colour = match picture.layout {
            Layout::Grey => ColorType::Grayscale,
            Layout::Rgb => ColorType::Rgb,
            Layout::Rgba => ColorType::Rgba,
        };
        let (depth, rows) = match S::DEPTH {
            Depth::Eight => (BitDepth::Eight, Cow::Borrowed(bytemuck::cast_slice(&picture.pixels))),
            Depth::Sixteen => {
                let wide = picture.pixels.iter().flat_map(|&sample| {
                    let value: u32 = sample.into();
                    (value as u16).to_be_bytes()
                });
                (BitDepth::Sixteen, wide.collect())
            }
        };
        Self { width, height, colour, depth, palette: Vec::new(), rows }
    }

    /// Over the `png` crate, in one go.
    fn written(&self, effort: u8, attached: &Attached) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, self.width, self.height);
        encoder.set_color(self.colour);
        encoder.set_depth(self.depth);
        // Filters mix up indices; long runs are what deflate is good at.
        let filter = if self.palette.is_empty() { Filter::Adaptive } else { Filter::NoFilter };
        encoder.set_compression(match (effort, self.palette.is_empty()) {
            (0, _) => Compression::Fastest,
            (_, true) => Compression::Fast,
            (_, false) => Compression::Balanced,
        });
        encoder.set_filter(if effort == 0 && self.palette.is_empty() { Filter::Up } else { filter });
        if !self.palette.is_empty() {
            encoder.set_palette(self.palette.iter().flat_map(|c| [c[0], c[1], c[2]]).collect::<Vec<_>>());
            if self.palette.iter().any(|c| c[3] < 255) {
                encoder.set_trns(self.palette.iter().map(|c| c[3]).collect::<Vec<_>>());
            }
        }
        if attached.icc.is_none() {
            encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        }
        let mut writer = encoder.write_header().map_err(|e| failed(&e))?;
        for (name, data) in chunks(attached)? {
            writer.write_chunk(ChunkType(name), &data).map_err(|e| failed(&e))?;
        }
        writer.write_image_data(&self.rows).map_err(|e| failed(&e))?;
        writer.finish().map_err(|e| failed(&e))?;
        Ok(out)
    }

    /// Over oxipng, which tries filters and levels of libdeflate and drops
    /// channels, bits and colours that say nothing.
    fn optimised(self, effort: u8, attached: &Attached) -> Result<Vec<u8>, Error> {
        let indexed = self.colour == ColorType::Indexed;
        let failed = |e: oxipng::PngError| Error::Codec { format: "PNG", detail: e.to_string() };
        let colour = match self.colour {
            ColorType::Grayscale => oxipng::ColorType::Grayscale { transparent_shade: None },
            ColorType::Rgb => oxipng::ColorType::RGB { transparent_color: None },
            ColorType::Indexed => oxipng::ColorType::Indexed {
                palette: self.palette.iter().map(|&[r, g, b, a]| oxipng::RGBA8::new(r, g, b, a)).collect(),
            },
            ColorType::GrayscaleAlpha => oxipng::ColorType::GrayscaleAlpha,
            ColorType::Rgba => oxipng::ColorType::RGBA,
        };
        let depth = match self.depth {
            BitDepth::One => oxipng::BitDepth::One,
            BitDepth::Two => oxipng::BitDepth::Two,
            BitDepth::Four => oxipng::BitDepth::Four,
            BitDepth::Eight => oxipng::BitDepth::Eight,
            BitDepth::Sixteen => oxipng::BitDepth::Sixteen,
        };
        let mut raw =
            RawImage::new(self.width, self.height, colour, depth, self.rows.into_owned()).map_err(failed)?;
        if attached.icc.is_none() {
            raw.add_png_chunk(*b"sRGB", vec![0]);
        }
        for (name, data) in chunks(attached)? {
            raw.add_png_chunk(name, data);
        }
        raw.create_optimized_png(&settings(effort, indexed)).map_err(failed)
    }
}

/// Efforts from 3 on. Measured on a photo of 1280 × 852 pixels, in bytes and
/// milliseconds on a busy machine: effort 0 1,978 kB 80, 1 1,806 kB 108, 3 1,725
/// kB 229, 4 1,703 kB 257, 6 1,656 kB 1,006, 7 1,649 kB 1,541, 9 1,648 kB 3,630;
/// oxipng's own highest two win nothing in three times that.
fn settings(effort: u8, indexed: bool) -> oxipng::Options {
    let mut options = oxipng::Options::from_preset(effort.saturating_sub(5).clamp(1, 4));
    if let Some(compression) = match effort {
        ..=3 => Some(3),
        4 => Some(6),
        5 => Some(9),
        _ => None,
    } {
        // Filters mix up indices; long runs are what deflate is good at.
        let filter = if indexed { FilterStrategy::NONE } else { FilterStrategy::Bigrams };
        options.filters = indexset! { filter };
        options.deflater = Deflater::Libdeflater { compression };
    }
    // Colour that cannot be seen is nobody's to keep.
    options.optimize_alpha = true;
    options
}

/// A chunk's name and data.
type Chunk = ([u8; 4], Vec<u8>);

/// Profile, EXIF and XMP as chunks that may stand before the palette.
fn chunks(attached: &Attached) -> Result<Vec<Chunk>, Error> {
    let mut chunks = Vec::new();
    if let Some(icc) = &attached.icc {
        // PNG, 11.3.2.3: name, 0, method 0, zlib.
        let mut data = b"icc\0\0".to_vec();
        let mut zlib = flate2::write::ZlibEncoder::new(&mut data, flate2::Compression::default());
        std::io::Write::write_all(&mut zlib, icc)
            .and_then(|()| zlib.finish().map(drop))
            .map_err(|e| Error::Codec { format: "PNG", detail: e.to_string() })?;
        chunks.push((*b"iCCP", data));
    }
    if let Some(exif) = &attached.exif {
        chunks.push((*b"eXIf", exif.clone()));
    }
    if let Some(xmp) = attached.xmp.as_deref().filter(|xmp| std::str::from_utf8(xmp).is_ok()) {
        // PNG, 11.3.3.4: keyword, uncompressed, no language, no translated keyword.
        let mut data = b"XML:com.adobe.xmp\0\0\0\0\0".to_vec();
        data.extend_from_slice(xmp);
        chunks.push((*b"iTXt", data));
    }
    Ok(chunks)
}

fn failed(error: &png::EncodingError) -> Error {
    Error::Codec { format: "PNG", detail: error.to_string() }
}

/// Rows of indices of `depth` bits, each row beginning on a byte.
fn packed(indices: &[u8], width: usize, depth: BitDepth) -> Vec<u8> {
    let bits = depth as usize;
    if bits == 8 {
        return indices.to_vec();
    }
    let per_byte = 8 / bits;
    let mut out = Vec::with_capacity(indices.len().div_ceil(per_byte));
    for row in indices.chunks_exact(width) {
        for group in row.chunks(per_byte) {
            let byte =
                group.iter().enumerate().fold(0, |byte, (i, &index)| byte | index << (8 - bits * (i + 1)));
            out.push(byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    fn decoded(bytes: &[u8]) -> (ColorType, BitDepth, Vec<u8>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let (colour, depth) = (reader.info().color_type, reader.info().bit_depth);
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (colour, depth, pixels)
    }

    fn encoded<S: Sample>(picture: &Picture<S>, effort: u8) -> Vec<u8> {
        encode(picture, Options { effort, ..Options::default() }, &Attached::default()).unwrap()
    }

    #[test]
    fn few_colours_become_a_palette_of_the_fewest_bits() {
        for (colours, depth) in [
            (2, BitDepth::One),
            (4, BitDepth::Two),
            (5, BitDepth::Four),
            (16, BitDepth::Four),
            (256, BitDepth::Eight),
        ] {
            let pixels: Vec<u8> = (0..7 * 60).flat_map(|i: usize| [(i % colours) as u8, 7, 9]).collect();
            let picture = Picture::new(Size::new(7, 60), Layout::Rgb, pixels);
            for effort in [0, 1, 4, 6] {
                let bytes = encoded(&picture, effort);
                let (colour, got, pixels) = decoded(&bytes);
                assert_eq!(colour, ColorType::Indexed, "{colours} colours, effort {effort}");
                // More effort may find that wider indices compress better.
                assert!(got == depth || effort > 2, "{colours} colours, effort {effort}");
                assert_eq!(pixels, picture.pixels, "{colours} colours, effort {effort}");
            }
        }
    }

    #[test]
    fn alpha_survives_in_a_palette_and_beyond() {
        let seen = |pixels: &[u8]| -> Vec<[u8; 4]> {
            pixels.as_chunks::<4>().0.iter().map(|p| if p[3] == 0 { [0; 4] } else { *p }).collect()
        };
        let pixels: Vec<u8> = (0..100_u32).flat_map(|i| [9, 8, 9, (i % 3 * 100) as u8]).collect();
        let few = Picture::new(Size::new(10, 10), Layout::Rgba, pixels);
        let many: Vec<u8> = (0..300_u32).flat_map(|i| [i as u8, (i >> 8) as u8, 1, 200]).collect();
        let many = Picture::new(Size::new(30, 10), Layout::Rgba, many);
        for effort in [0, 1, 4, 6] {
            let (colour, _, back) = decoded(&encoded(&few, effort));
            assert_eq!(colour, ColorType::Indexed);
            assert_eq!(seen(&back), seen(&few.pixels));
            let (colour, _, back) = decoded(&encoded(&many, effort));
            assert_eq!((colour, back), (ColorType::Rgba, many.pixels.clone()));
        }
    }

    #[test]
    fn sixteen_bits_are_written_whole_whatever_the_effort() {
        for layout in [Layout::Grey, Layout::Rgb, Layout::Rgba] {
            let count = 40 * 30 * layout.channels();
            let pixels: Vec<u16> = (0..count).map(|i| (i * 40_503 % 65_536) as u16 | 1).collect();
            let picture = Picture::new(Size::new(40, 30), layout, pixels);
            let wanted: Vec<u8> = picture.pixels.iter().flat_map(|v| v.to_be_bytes()).collect();
            for effort in [0, 1, 4, 6] {
                let (_, depth, back) = decoded(&encoded(&picture, effort));
                assert_eq!((depth, &back), (BitDepth::Sixteen, &wanted), "{layout:?} effort {effort}");
            }
        }
    }

    #[test]
    fn more_effort_is_never_larger_and_the_same_every_time() {
        let pixels: Vec<u8> =
            (0..200 * 150 * 3_u32).map(|i| (i * (i % 1000) / 7 % 251 / 3 + i / 600) as u8).collect();
        let picture = Picture::new(Size::new(200, 150), Layout::Rgb, pixels);
        let sizes: Vec<usize> = (3..=9).map(|effort| encoded(&picture, effort).len()).collect();
        assert!(sizes.windows(2).all(|pair| pair[1] <= pair[0] + pair[0] / 100), "{sizes:?}");
        for effort in [0, 1, 4, 7] {
            assert_eq!(encoded(&picture, effort), encoded(&picture, effort), "effort {effort}");
        }
    }

    #[test]
    fn a_profile_takes_the_place_of_srgb_and_metadata_is_attached() {
        let picture = Picture::new(Size::new(2, 2), Layout::Rgb, (0..12_u8).collect());
        let attached = Attached {
            exif: Some(b"MM\0\x2a\0\0\0\x08\0\0\0\0\0\0".to_vec()),
            xmp: Some(b"<x:xmpmeta/>".to_vec()),
            icc: Some(vec![7; 300]),
        };
        for effort in [0, 1, 4] {
            let options = Options { effort, ..Options::default() };
            let bytes = encode(&picture, options, &attached).unwrap();
            let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
            let info = reader.info();
            assert_eq!(info.icc_profile.as_deref(), Some(&[7; 300][..]), "effort {effort}");
            assert_eq!((info.srgb, info.exif_metadata.as_deref()), (None, attached.exif.as_deref()));
            let text = info.utf8_text.first().unwrap();
            assert_eq!(
                (text.keyword.as_str(), text.get_text().unwrap().as_str()),
                ("XML:com.adobe.xmp", "<x:xmpmeta/>")
            );
            let plain = encode(&picture, options, &Attached::default()).unwrap();
            let reader = png::Decoder::new(std::io::Cursor::new(plain)).read_info().unwrap();
            assert_eq!(reader.info().srgb, Some(png::SrgbRenderingIntent::Perceptual));
        }
    }

    #[test]
    fn colours_are_reduced_when_asked() {
        let pixels: Vec<u16> = (0..60 * 60 * 3_u32).map(|i| (i * 7919 % 65_521) as u16).collect();
        let picture = Picture::new(Size::new(60, 60), Layout::Rgb, pixels);
        for effort in [1, 4] {
            let options = Options { effort, colours: Some(13), dither: true };
            let (colour, depth, _) = decoded(&encode(&picture, options, &Attached::default()).unwrap());
            assert_eq!(colour, ColorType::Indexed);
            assert!(depth == BitDepth::Four || effort > 2);
        }
    }
}
