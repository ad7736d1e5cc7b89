//! GIF over the `gif` crate. Up to 256 colours a frame are kept as they are;
//! more are reduced by `NeuQuant`, without dithering. A pixel less than half
//! opaque is transparent: GIF knows nothing between.

use crate::Error;
use crate::picture::Picture;
use crate::plan::geometry::Size;
use gif::{DisposalMethod, Frame, Repeat};

/// A GIF being written frame by frame.
pub(crate) struct Writer {
    encoder: gif::Encoder<Vec<u8>>,
    size: Size,
}

/// `NeuQuant` looks at one pixel in this many; 10 is its author's compromise.
const SAMPLING: i32 = 10;

impl Writer {
    /// `size` must pass [`super::fits`].
    pub(crate) fn new(size: Size, repeat: Option<Repeat>) -> Result<Self, Error> {
        let mut encoder = gif::Encoder::new(Vec::new(), size.width as u16, size.height as u16, &[])
            .map_err(|e| failed(&e))?;
        if let Some(repeat) = repeat {
            encoder.set_repeat(repeat).map_err(|e| failed(&e))?;
        }
        Ok(Self { encoder, size })
    }

    /// Adds a frame of the size of the canvas, shown for `delay` hundredths of
    /// a second.
    pub(crate) fn add(&mut self, picture: Picture, delay: u16) -> Result<(), Error> {
        let mut pixels = picture.into_rgba().pixels;
        let mut transparent = false;
        for pixel in pixels.as_chunks_mut::<4>().0 {
            if pixel[3] < 128 {
                *pixel = [0; 4];
                transparent = true;
            } else {
                pixel[3] = 255;
            }
        }
        let mut frame =
            Frame::from_rgba_speed(self.size.width as u16, self.size.height as u16, &mut pixels, SAMPLING);
        frame.delay = delay;
        // Each frame is the whole canvas; what is transparent must not show
        // the frame before.
        frame.dispose = if transparent { DisposalMethod::Background } else { DisposalMethod::Keep };
        self.encoder.write_frame(&frame).map_err(|e| failed(&e))
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, Error> {
        self.encoder.into_inner().map_err(|e| Error::Codec { format: "GIF", detail: e.to_string() })
    }
}

pub(crate) fn encode_still(picture: Picture) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(picture.size, None)?;
    writer.add(picture, 0)?;
    writer.finish()
}

fn failed(error: &gif::EncodingError) -> Error {
    Error::Codec { format: "GIF", detail: error.to_string() }
}
