//! WebP pixels over libwebp; of an animation the first frame, composed on its
//! canvas.

use crate::Error;
use crate::colour::{Conversion, Model};
use crate::picture::{Layout, Picture};
use crate::source::Source;
use crate::source::webp::{WebpHeader, malformed};
use webpx::{AnimationDecoder, ColorMode, Decoder, DecoderConfig, Limits};

/// Decodes the picture, in sRGB.
pub(crate) fn decode(source: &Source<'_>, header: &WebpHeader) -> Result<Picture, Error> {
    let size = source.stored;
    // The header has been held against our own limits; libwebp's format ends at 16,383.
    let limits = Limits::none();
    let mut picture = if header.animated {
        let mut decoder =
            AnimationDecoder::with_options_limits(source.bytes, ColorMode::Rgba, false, &limits)
                .map_err(|e| malformed(e.to_string()))?;
        let frame = decoder
            .next_frame()
            .map_err(|e| malformed(e.to_string()))?
            .ok_or_else(|| malformed("it holds no frame"))?;
        if (frame.width, frame.height) != (size.width, size.height) {
            return Err(malformed("its headers contradict each other"));
        }
        Picture::new(size, Layout::Rgba, frame.data)
    } else {
        let layout = if header.alpha { Layout::Rgba } else { Layout::Rgb };
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
    if let Some(conversion) = Conversion::to_srgb(&source.colour, Model::Rgb) {
        conversion.apply(&mut picture);
    }
    Ok(picture)
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
    let picture = pixels * if header.alpha { 4 } else { 3 };
    let codec = if header.lossless { pixels * 4 + pixels / 2 } else { pixels };
    let copy = if header.alpha { pixels * 3 } else { 0 };
    picture + codec.max(copy) + rows
}
