//! PNG over the `png` crate: a palette where 256 colours suffice, else 8 bits a
//! sample.

use crate::Error;
use crate::metadata::Attached;
use crate::picture::{Layout, Picture};
use png::chunk::ChunkType;
use png::{BitDepth, ColorType, Compression, Encoder, Filter};

pub(crate) fn encode(picture: &Picture, attached: &Attached) -> Result<Vec<u8>, Error> {
    let width = picture.size.width;
    if picture.layout != Layout::Grey
        && let Some(indexed) = Indexed::of(picture)
    {
        let depth = indexed.depth();
        let rows = indexed.packed(width as usize, depth);
        return write(picture, attached, ColorType::Indexed, depth, Some(&indexed), &rows);
    }
    let colour = match picture.layout {
        Layout::Grey => ColorType::Grayscale,
        Layout::Rgb => ColorType::Rgb,
        Layout::Rgba => ColorType::Rgba,
    };
    write(picture, attached, colour, BitDepth::Eight, None, &picture.pixels)
}

fn write(
    picture: &Picture,
    attached: &Attached,
    colour: ColorType,
    depth: BitDepth,
    indexed: Option<&Indexed>,
    samples: &[u8],
) -> Result<Vec<u8>, Error> {
    let failed = |e: png::EncodingError| Error::Codec { format: "PNG", detail: e.to_string() };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, picture.size.width, picture.size.height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if let Some(indexed) = indexed {
        encoder.set_palette(indexed.colours.iter().flat_map(|c| [c[0], c[1], c[2]]).collect::<Vec<_>>());
        if indexed.colours.iter().any(|c| c[3] < 255) {
            encoder.set_trns(indexed.colours.iter().map(|c| c[3]).collect::<Vec<_>>());
        }
        // Filters mix up indices; long runs are what deflate is good at.
        encoder.set_compression(Compression::Balanced);
        encoder.set_filter(Filter::NoFilter);
    } else {
        encoder.set_compression(Compression::Fast);
        encoder.set_filter(Filter::Adaptive);
    }
    if let Some(xmp) = attached.xmp.as_deref().and_then(|xmp| std::str::from_utf8(xmp).ok()) {
        encoder.add_itxt_chunk("XML:com.adobe.xmp".to_owned(), xmp.to_owned()).map_err(failed)?;
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    if let Some(exif) = &attached.exif {
        writer.write_chunk(ChunkType(*b"eXIf"), exif).map_err(failed)?;
    }
    writer.write_image_data(samples).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}

/// A picture of at most 256 colours.
struct Indexed {
    /// In the order of first appearance, RGBA.
    colours: Vec<[u8; 4]>,
    indices: Vec<u8>,
}

/// Slots of the hash table; a power of two several times 256.
const SLOTS: usize = 1024;

impl Indexed {
    /// `None` as soon as a 257th colour turns up, early in any photo.
    fn of(picture: &Picture) -> Option<Self> {
        let channels = picture.layout.channels();
        let mut colours: Vec<[u8; 4]> = Vec::with_capacity(256);
        let mut slots = [u16::MAX; SLOTS];
        let mut indices = Vec::new();
        let mut last: Option<([u8; 4], u8)> = None;
        for pixel in picture.pixels.chunks_exact(channels) {
            let colour = match *pixel {
                [r, g, b] => [r, g, b, 255],
                // What cannot be seen is one colour.
                [_, _, _, 0] => [0; 4],
                [r, g, b, a] => [r, g, b, a],
                _ => return None,
            };
            let index = match last {
                Some((same, index)) if same == colour => index,
                _ => lookup(colour, &mut colours, &mut slots)?,
            };
            last = Some((colour, index));
            indices.push(index);
        }
        Some(Self { colours, indices })
    }

    fn depth(&self) -> BitDepth {
        match self.colours.len() {
            0..=2 => BitDepth::One,
            3..=4 => BitDepth::Two,
            5..=16 => BitDepth::Four,
            _ => BitDepth::Eight,
        }
    }

    /// Rows of indices of `depth` bits, each row beginning on a byte.
    fn packed(&self, width: usize, depth: BitDepth) -> Vec<u8> {
        let bits = depth as usize;
        if bits == 8 {
            return self.indices.clone();
        }
        let per_byte = 8 / bits;
        let mut out = Vec::with_capacity(self.indices.len().div_ceil(per_byte));
        for row in self.indices.chunks_exact(width) {
            for group in row.chunks(per_byte) {
                let byte = group
                    .iter()
                    .enumerate()
                    .fold(0, |byte, (i, &index)| byte | index << (8 - bits * (i + 1)));
                out.push(byte);
            }
        }
        out
    }
}

fn lookup(colour: [u8; 4], colours: &mut Vec<[u8; 4]>, slots: &mut [u16; SLOTS]) -> Option<u8> {
    // Fibonacci hashing; the table is at most a quarter full, so a free slot is near.
    let mut slot = (u32::from_le_bytes(colour).wrapping_mul(0x9e37_79b1) >> 22) as usize;
    loop {
        match slots[slot] {
            u16::MAX => break,
            index if colours[usize::from(index)] == colour => return Some(index as u8),
            _ => slot = (slot + 1) % SLOTS,
        }
    }
    if colours.len() == 256 {
        return None;
    }
    slots[slot] = colours.len() as u16;
    colours.push(colour);
    Some((colours.len() - 1) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::geometry::Size;

    fn decoded(bytes: &[u8]) -> (ColorType, BitDepth, Vec<u8>) {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let (colour, depth) = (reader.info().color_type, reader.info().bit_depth);
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        (colour, depth, pixels)
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
            let bytes = encode(&picture, &Attached::default()).unwrap();
            assert_eq!(decoded(&bytes), (ColorType::Indexed, depth, picture.pixels), "{colours} colours");
        }
    }

    #[test]
    fn alpha_survives_in_a_palette_and_beyond() {
        let pixels: Vec<u8> = (0..100_u32).flat_map(|i| [9, 9, 9, (i % 3 * 100) as u8]).collect();
        let picture = Picture::new(Size::new(10, 10), Layout::Rgba, pixels);
        let (colour, _, back) = decoded(&encode(&picture, &Attached::default()).unwrap());
        assert_eq!(colour, ColorType::Indexed);
        let seen = |pixels: &[u8]| -> Vec<[u8; 4]> {
            pixels.as_chunks::<4>().0.iter().map(|p| if p[3] == 0 { [0; 4] } else { *p }).collect()
        };
        assert_eq!(seen(&back), seen(&picture.pixels));
        let many: Vec<u8> = (0..300_u32).flat_map(|i| [i as u8, (i >> 8) as u8, 1, 200]).collect();
        let picture = Picture::new(Size::new(30, 10), Layout::Rgba, many);
        let (colour, _, back) = decoded(&encode(&picture, &Attached::default()).unwrap());
        assert_eq!((colour, back), (ColorType::Rgba, picture.pixels));
    }
}
