//! WebP pixels over libwebp; of an animation the first frame, composed on its
//! canvas.

use super::Decoded;
use crate::Error;
use crate::geometry::Size;
use crate::picture::{AnyPicture, Layout, Picture};
use crate::source::Source;
use crate::source::webp::{WebpHeader, malformed};
use webpx::{AnimationDecoder, ColorMode, Decoder, DecoderConfig, Limits};

/// Decodes the picture.
pub(crate) fn decode<'a>(source: &Source<'a>, header: &WebpHeader) -> Result<Decoded<'a>, Error> {
    let size = source.stored;
    // The header has been held against our own limits; libwebp's format ends at 16,383.
    let limits = Limits::none();
    let picture = if header.animated {
        let mut frames = Frames::open(source)?;
        frames.next()?;
        frames.canvas.ok_or_else(|| malformed("it holds no frame"))?
    } else {
        let layout = source.layout;
        let decoder = Decoder::new(source.bytes)
            .map_err(|e| malformed(e.to_string()))?
            .config(DecoderConfig::new().limits(limits));
        let mut pixels = vec![0_u8; size.pixels() as usize * layout.channels()];
        let stride = size.width * layout.channels() as u32;
        let decoded = match layout {
            Layout::Rgba => decoder.decode_rgba_into(&mut pixels, stride),
            _ => decoder.decode_rgb_into(&mut pixels, stride),
        };
        let (width, height) = decoded.map_err(|e| malformed(e.to_string()))?;
        if (width, height) != (size.width, size.height) {
            return Err(malformed("its headers contradict each other"));
        }
        Picture::new(size, layout, pixels)
    }
    .without_idle_alpha();
    Ok(Decoded { picture: AnyPicture::Eight(picture), colour: source.colour.clone() })
}

/// The frames of an animation, composed by libwebp.
pub(crate) struct Frames {
    decoder: AnimationDecoder,
    size: Size,
    canvas: Option<Picture>,
    left: u32,
}

impl Frames {
    pub(crate) fn open(source: &Source<'_>) -> Result<Self, Error> {
        let limits = Limits::none();
        let decoder = AnimationDecoder::with_options_limits(source.bytes, ColorMode::Rgba, false, &limits)
            .map_err(|e| malformed(e.to_string()))?;
        let info = decoder.info();
        if (info.width, info.height) != (source.stored.width, source.stored.height) {
            return Err(malformed("its headers contradict each other"));
        }
        Ok(Self { decoder, size: source.stored, canvas: None, left: source.frames })
    }

    pub(crate) fn plays(&self) -> u32 {
        self.decoder.info().loop_count
    }

    /// The next frame, and how long it shows in milliseconds.
    pub(crate) fn next(&mut self) -> Result<Option<(&Picture, u32)>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        // The old canvas first: the new one is a copy beside libwebp's own.
        self.canvas = None;
        let frame = self
            .decoder
            .next_frame()
            .map_err(|e| malformed(e.to_string()))?
            .ok_or_else(|| malformed("it has fewer frames than it begins"))?;
        let canvas = Picture::new(self.size, Layout::Rgba, frame.data);
        Ok(Some((self.canvas.insert(canvas), frame.duration_ms)))
    }
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted.
///
/// The picture, and beside it the larger of: libwebp's own memory (lossless:
/// four bytes a pixel and tables; lossy: some rows, and the alpha plane), and
/// the copy in which idle alpha is dropped. An animation: the source again, two
/// canvases, the frame and its copy.
pub(crate) fn memory(source: &Source<'_>, header: &WebpHeader) -> u64 {
    let pixels = source.stored.pixels();
    let rows = u64::from(source.stored.width) * 512 + (2 << 20);
    if header.animated {
        return source.bytes.len() as u64 + pixels * 4 * 5 + rows;
    }
    let picture = pixels * source.layout.channels() as u64;
    let codec = if header.lossless { pixels * 4 + pixels / 2 } else { pixels };
    let copy = if source.layout == Layout::Rgba { pixels * 3 } else { 0 };
    picture + codec.max(copy) + rows
}
