//! QOI pixels. Ninety lines of specification: smaller here than as a
//! dependency, and what is cut off is noticed.
//!
//! Source: <https://qoiformat.org/qoi-specification.pdf>.

use super::Decoded;
use crate::Error;
use crate::picture::{AnyPicture, Layout, Picture};
use crate::source::Source;
use crate::source::qoi::{HEADER, malformed};

/// Decodes the picture.
pub(crate) fn decode<'a>(source: &Source<'a>) -> Result<Decoded<'a>, Error> {
    let layout = source.layout;
    let chunks = source.bytes.get(HEADER..).unwrap_or_default();
    let count = source.stored.pixels() as usize;
    let pixels = match layout {
        Layout::Rgba => pixels::<4>(chunks, count)?,
        _ => pixels::<3>(chunks, count)?,
    };
    let picture = AnyPicture::Eight(Picture::new(source.stored, layout, pixels).without_idle_alpha());
    Ok(Decoded { picture, colour: source.colour.clone() })
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted: the
/// pixels, and the copy in which idle alpha is dropped.
pub(crate) fn memory(source: &Source<'_>) -> u64 {
    let bytes = if source.layout == Layout::Rgba { 4 + 3 } else { 3 };
    source.stored.pixels() * bytes + (64 << 10)
}

/// Seven zeros and a one behind the last chunk.
const END: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

fn pixels<const N: usize>(mut chunks: &[u8], count: usize) -> Result<Vec<u8>, Error> {
    let cut = || malformed("it is cut off");
    let mut out = Vec::with_capacity(count * N);
    let mut seen = [[0_u8; 4]; 64];
    let mut pixel = [0, 0, 0, 255];
    let most = count * N;
    while out.len() < most {
        let (&[head], rest) = chunks.split_first_chunk::<1>().ok_or_else(cut)?;
        chunks = rest;
        let low = head & 0x3f;
        match head {
            0xfe => {
                let (&[r, g, b], rest) = chunks.split_first_chunk::<3>().ok_or_else(cut)?;
                chunks = rest;
                pixel = [r, g, b, pixel[3]];
            }
            0xff => {
                let (&rgba, rest) = chunks.split_first_chunk::<4>().ok_or_else(cut)?;
                chunks = rest;
                pixel = rgba;
            }
            _ => match head >> 6 {
                0 => pixel = seen[usize::from(low)],
                1 => add(
                    &mut pixel,
                    [(low >> 4).wrapping_sub(2), (low >> 2 & 3).wrapping_sub(2), (low & 3).wrapping_sub(2)],
                ),
                2 => {
                    let (&[second], rest) = chunks.split_first_chunk::<1>().ok_or_else(cut)?;
                    chunks = rest;
                    let green = low.wrapping_sub(32);
                    let red = green.wrapping_add(second >> 4).wrapping_sub(8);
                    let blue = green.wrapping_add(second & 15).wrapping_sub(8);
                    add(&mut pixel, [red, green, blue]);
                }
                _ => {
                    let run = (usize::from(low) + 1).min((most - out.len()) / N);
                    for _ in 1..run {
                        out.extend_from_slice(&pixel[..N]);
                    }
                }
            },
        }
        let [r, g, b, a] = pixel.map(usize::from);
        seen[(r * 3 + g * 5 + b * 7 + a * 11) % 64] = pixel;
        out.extend_from_slice(&pixel[..N]);
    }
    if chunks.starts_with(&END) { Ok(out) } else { Err(cut()) }
}

fn add(pixel: &mut [u8; 4], difference: [u8; 3]) {
    for (v, d) in pixel.iter_mut().zip(difference) {
        *v = v.wrapping_add(d);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_chunk_is_understood() {
        // RGB, a run of 2, differences, a difference by green, the first again by its index, RGBA.
        let mut chunks = vec![0xfe, 10, 20, 30, 0xc1, 0b0111_1001, 0xa3, 0x87];
        let hash = (10 * 3 + 20 * 5 + 30 * 7 + 255 * 11) % 64;
        chunks.extend([hash as u8, 0xff, 1, 2, 3, 4]);
        chunks.extend(END);
        let expected = [
            [10, 20, 30, 255],
            [10, 20, 30, 255],
            [10, 20, 30, 255],
            [11, 20, 29, 255],
            [14, 23, 31, 255],
            [10, 20, 30, 255],
            [1, 2, 3, 4],
        ];
        assert_eq!(pixels::<4>(&chunks, 7).unwrap(), expected.concat());
        for end in 0..chunks.len() {
            assert!(pixels::<4>(&chunks[..end], 7).is_err(), "cut at {end}");
        }
    }
}
