//! Animated PNG (W3C PNG third edition, 4.9): the first frame whole, of the
//! others the smallest rectangle that changed.

use super::delta::{Area, changed};
use crate::Error;
use crate::geometry::Size;
use crate::picture::Picture;
use png::{BitDepth, BlendOp, ColorType, Compression, DisposeOp, EncodingError};
use std::cell::RefCell;
use std::rc::Rc;

/// An animated PNG being written frame by frame.
pub(crate) struct Writer {
    encoder: png::Writer<Shared>,
    file: Shared,
    size: Size,
    /// The canvas as the frame before leaves it; empty before the first.
    shown: Vec<u8>,
}

/// The file: the encoder keeps what it writes to and gives nothing back.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Writer {
    /// Exactly `frames` must be added; `plays` is how often it plays, 0 for ever.
    pub(crate) fn new(size: Size, frames: u32, plays: u32) -> Result<Self, Error> {
        let file = Shared::default();
        let mut encoder = png::Encoder::new(file.clone(), size.width, size.height);
        encoder.set_color(ColorType::Rgba);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Balanced);
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        encoder.set_animated(frames, plays).map_err(failed)?;
        encoder.set_blend_op(BlendOp::Source).map_err(failed)?;
        encoder.set_dispose_op(DisposeOp::None).map_err(failed)?;
        let encoder = encoder.write_header().map_err(failed)?;
        Ok(Self { encoder, file, size, shown: Vec::new() })
    }

    /// Adds a frame of the size of the canvas, shown for `delay` milliseconds.
    pub(crate) fn add(&mut self, picture: Picture, delay: u32) -> Result<(), Error> {
        let mut pixels = picture.into_rgba().pixels;
        for pixel in pixels.as_chunks_mut::<4>().0 {
            if pixel[3] == 0 {
                *pixel = [0; 4]; // what nobody sees packs best when it is the same
            }
        }
        // A fraction of 16 bits each: milliseconds, or hundredths where they are too many.
        let (numerator, denominator) = match u16::try_from(delay) {
            Ok(milliseconds) => (milliseconds, 1000),
            Err(_) => ((delay / 10).min(u16::MAX.into()) as u16, 100),
        };
        self.encoder.set_frame_delay(numerator, denominator).map_err(failed)?;
        if self.shown.is_empty() {
            self.encoder.write_image_data(&pixels).map_err(failed)?;
        } else {
            let Area { x, y, width, height } = changed(&self.shown, &pixels, self.size);
            // The rectangle must lie within the canvas at every step.
            self.encoder.reset_frame_position().map_err(failed)?;
            self.encoder.set_frame_dimension(width as u32, height as u32).map_err(failed)?;
            self.encoder.set_frame_position(x as u32, y as u32).map_err(failed)?;
            let stride = self.size.width as usize * 4;
            let rows = pixels.chunks_exact(stride).skip(y).take(height);
            let part: Vec<u8> = rows.flat_map(|row| &row[x * 4..(x + width) * 4]).copied().collect();
            self.encoder.write_image_data(&part).map_err(failed)?;
        }
        self.shown = pixels;
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, Error> {
        self.encoder.finish().map_err(failed)?;
        Ok(self.file.0.take())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(error: EncodingError) -> Error {
    Error::Codec { format: "PNG", detail: error.to_string() }
}
