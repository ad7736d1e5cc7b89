//! GIF over the `gif` crate. Of an animation only what changed is written: the
//! smallest rectangle, transparent where it shows what was there. Up to 256
//! colours a frame are kept as they are; more are reduced by `NeuQuant`, without
//! dithering, which would make what stands still flicker and is hard to pack. A
//! pixel less than half opaque is transparent: GIF knows nothing between.

use super::delta::{Area, changed};
use crate::Error;
use crate::geometry::Size;
use crate::picture::Picture;
use color_quant::NeuQuant;
use gif::{DisposalMethod, Frame, Repeat};
use std::borrow::Cow;
use std::collections::HashMap;

/// A GIF being written frame by frame.
pub(crate) struct Writer {
    encoder: gif::Encoder<Vec<u8>>,
    size: Size,
    /// What lies under `pending`; empty for nothing.
    below: Vec<u8>,
    /// The frame that waits until the next tells how to leave it, and its delay.
    pending: Option<(Vec<u8>, u16)>,
}

/// `NeuQuant` looks at one pixel in this many; 10 is its author's compromise.
const SAMPLING: i32 = 10;

/// Colours of a frame, one of 256 being kept for "transparent".
const COLOURS: usize = 255;

impl Writer {
    /// `size` must pass [`super::fits`]. `plays` is how often it plays, 0 for
    /// ever; `None` for a still.
    pub(crate) fn new(size: Size, plays: Option<u32>) -> Result<Self, Error> {
        let mut encoder = gif::Encoder::new(Vec::new(), size.width as u16, size.height as u16, &[])
            .map_err(|e| failed(&e))?;
        if let Some(repeat) = plays.and_then(repeat) {
            encoder.set_repeat(repeat).map_err(|e| failed(&e))?;
        }
        Ok(Self { encoder, size, below: Vec::new(), pending: None })
    }

    /// Adds a frame of the size of the canvas, shown for `delay` milliseconds.
    pub(crate) fn add(&mut self, picture: Picture, delay: u32) -> Result<(), Error> {
        let mut pixels = picture.into_rgba().pixels;
        for pixel in pixels.as_chunks_mut::<4>().0 {
            if pixel[3] < 128 {
                *pixel = [0; 4];
            } else {
                pixel[3] = 255;
            }
        }
        if let Some((shown, shown_for)) = self.pending.take() {
            // What was opaque and is no longer can only be cleared.
            let uncovers = shown.chunks_exact(4).zip(pixels.chunks_exact(4)).any(|(a, b)| a[3] > b[3]);
            self.write(&shown, shown_for, uncovers)?;
            self.below = if uncovers { Vec::new() } else { shown };
        }
        let hundredths = delay.saturating_add(5) / 10;
        self.pending = Some((pixels, hundredths.min(u16::MAX.into()) as u16));
        Ok(())
    }

    /// Writes a frame over `below`, and clears the whole canvas behind it if asked.
    fn write(&mut self, pixels: &[u8], delay: u16, clear: bool) -> Result<(), Error> {
        let whole = Area { x: 0, y: 0, width: self.size.width as usize, height: self.size.height as usize };
        let area =
            if clear || self.below.is_empty() { whole } else { changed(&self.below, pixels, self.size) };
        let stride = self.size.width as usize * 4;
        let mut drawn: Vec<[u8; 4]> = Vec::with_capacity(area.width * area.height);
        for y in area.y..area.y + area.height {
            let range = y * stride + area.x * 4..y * stride + (area.x + area.width) * 4;
            let row = pixels[range.clone()].as_chunks::<4>().0;
            match self.below.get(range) {
                None => drawn.extend(row),
                Some(below) => {
                    let below = below.as_chunks::<4>().0;
                    drawn.extend(
                        row.iter().zip(below).map(|(new, old)| if new == old { [0; 4] } else { *new }),
                    );
                }
            }
        }
        let mut frame = indexed(&drawn);
        frame.left = area.x as u16;
        frame.top = area.y as u16;
        frame.width = area.width as u16;
        frame.height = area.height as u16;
        frame.delay = delay;
        frame.dispose = if clear { DisposalMethod::Background } else { DisposalMethod::Keep };
        self.encoder.write_frame(&frame).map_err(|e| failed(&e))
    }

    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Error> {
        if let Some((pixels, delay)) = self.pending.take() {
            // A loop starts on an empty canvas only if the last frame leaves one.
            let clear = pixels.chunks_exact(4).any(|p| p[3] == 0);
            self.write(&pixels, delay, clear)?;
        }
        self.encoder.into_inner().map_err(|e| Error::Codec { format: "GIF", detail: e.to_string() })
    }
}

/// GIF's word for how often it plays: it counts what follows the first time.
fn repeat(plays: u32) -> Option<Repeat> {
    match plays {
        0 => Some(Repeat::Infinite),
        1 => None,
        n => Some(Repeat::Finite((n - 1).min(u16::MAX.into()) as u16)),
    }
}

/// Colours whose place in the palette is remembered: a photo has fewer that come
/// again, noise would fill the memory.
const REMEMBERED: usize = 1 << 16;

/// Indices into a palette of at most [`COLOURS`] colours, and the index behind
/// them for pixels without alpha.
fn indexed(pixels: &[[u8; 4]]) -> Frame<'static> {
    let mut known: HashMap<[u8; 4], u8> = HashMap::new();
    let mut palette: Vec<u8> = Vec::new();
    let mut few = true;
    let opaque = pixels.iter().filter(|p| p[3] != 0);
    let hidden = pixels.iter().any(|p| p[3] == 0);
    // 256 colours fit where nothing is transparent.
    let most = if hidden { COLOURS } else { COLOURS + 1 };
    for pixel in opaque.clone() {
        if !known.contains_key(pixel) {
            if known.len() == most {
                few = false;
                break;
            }
            known.insert(*pixel, known.len() as u8);
            palette.extend_from_slice(&pixel[..3]);
        }
    }
    let buffer: Vec<u8>;
    let transparent;
    if few {
        transparent = hidden.then_some(known.len() as u8);
        buffer = pixels.iter().map(|p| known.get(p).or(transparent.as_ref()).copied().unwrap_or(0)).collect();
    } else {
        let mut seen = Vec::with_capacity(pixels.len() * 4);
        seen.extend(opaque.flatten());
        let quantizer = NeuQuant::new(SAMPLING, most, &seen);
        palette = quantizer.color_map_rgb();
        transparent = hidden.then_some(COLOURS as u8);
        known.clear();
        buffer = pixels
            .iter()
            .map(|p| match transparent {
                Some(index) if p[3] == 0 => index,
                _ => known.get(p).copied().unwrap_or_else(|| {
                    let index = quantizer.index_of(p) as u8;
                    if known.len() < REMEMBERED {
                        known.insert(*p, index);
                    }
                    index
                }),
            })
            .collect();
    }
    if transparent.is_some() {
        palette.extend([0; 3]);
    }
    if palette.is_empty() {
        palette.extend([0; 3]);
    }
    Frame { buffer: Cow::Owned(buffer), palette: Some(palette), transparent, ..Frame::default() }
}

/// Bytes that [`encode_still`] takes at its peak, the picture not counted: its
/// copy, RGBA, the colours that are drawn, those that are counted, indices, and
/// a file that grows. Counted less generously than the sum of these, which are
/// never all there at once; measured on noise.
pub(crate) fn memory(pixels: u64) -> u64 {
    pixels * 16 + (4 << 20)
}

pub(crate) fn encode_still(picture: Picture) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(picture.size, None)?;
    writer.add(picture, 0)?;
    writer.finish()
}

fn failed(error: &gif::EncodingError) -> Error {
    Error::Codec { format: "GIF", detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparent_is_never_the_index_of_a_colour() {
        let mut pixels: Vec<[u8; 4]> =
            (0..600_u32).map(|i| [i as u8, (i / 3) as u8, (i / 7) as u8, 255]).collect();
        pixels.extend([[0; 4]; 300]);
        pixels.extend([[0, 0, 0, 255]; 20]);
        let frame = indexed(&pixels);
        let transparent = frame.transparent.expect("some pixels are");
        assert_eq!(frame.palette.as_ref().map(Vec::len), Some(256 * 3));
        for (pixel, &index) in pixels.iter().zip(&*frame.buffer) {
            assert_eq!(pixel[3] == 0, index == transparent, "{pixel:?}");
        }
    }

    #[test]
    fn few_colours_are_kept_exactly() {
        let pixels: Vec<[u8; 4]> = (0..=255).map(|v| [v, 255 - v, 9, 255]).collect();
        let frame = indexed(&pixels);
        assert_eq!(frame.transparent, None);
        let palette = frame.palette.unwrap();
        for (pixel, &index) in pixels.iter().zip(&*frame.buffer) {
            assert_eq!(palette[usize::from(index) * 3..][..3], pixel[..3]);
        }
    }
}
