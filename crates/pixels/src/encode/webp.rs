//! WebP: opaque lossy pictures by our own encoder (`vp8`), in a container made
//! here; alpha, frames, what is without loss and other efforts by libwebp.

use super::Encoding;
use crate::Error;
use crate::geometry::Size;
use crate::metadata::Attached;
use crate::picture::{Layout, Picture};
use crate::planes::WebpPlanes;
use crate::vp8;
use webpx::{Encoder, EncoderConfig, Unstoppable, YuvPlanesRef};

/// libwebp's effort, 0–6. 4 is libwebp's and sharp's default, so that prints are
/// as small as those that people compare them with.
const METHOD: u8 = 4;

/// How a print is to be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// libwebp's scale, 1–100.
    pub(crate) quality: u8,
    /// Exactly the pixels, whatever the quality.
    pub(crate) lossless: bool,
    /// libwebp's effort, 0–6.
    pub(crate) method: u8,
    /// Two threads analyse; the file is the same.
    pub(crate) shared: bool,
}

impl Settings {
    /// Those of a print; its effort goes from 0 to 9.
    pub(crate) fn of(quality: u8, encoding: &Encoding, threads: usize) -> Self {
        const METHODS: [u8; 10] = [0, 1, 2, 3, METHOD, 5, 5, 6, 6, 6];
        let method = encoding.effort.map_or(METHOD, |effort| METHODS[usize::from(effort.min(9))]);
        // Where nothing is lost, the second thread would hold as much as the first.
        Self { quality, lossless: encoding.lossless, method, shared: threads > 1 && !encoding.lossless }
    }
}

/// Encodes pixels.
pub(crate) fn encode(picture: &Picture, settings: Settings, attached: &Attached) -> Result<Vec<u8>, Error> {
    let (width, height) = (picture.size.width, picture.size.height);
    match picture.layout {
        // A second thread would hold alpha and colour in memory at the same time.
        Layout::Rgba => {
            let settings = Settings { shared: false, ..settings };
            finish(Encoder::new_rgba(&picture.pixels, width, height), settings, attached)
        }
        Layout::Rgb | Layout::Grey if !settings.lossless => {
            let channels = picture.layout.channels();
            let planes = WebpPlanes::of_pixels(&picture.pixels, channels, (width, height));
            encode_planes(&planes, settings, attached)
        }
        Layout::Rgb => finish(Encoder::new_rgb(&picture.pixels, width, height), settings, attached),
        Layout::Grey => {
            let rgb = picture.clone().into_rgb();
            finish(Encoder::new_rgb(&rgb.pixels, width, height), settings, attached)
        }
    }
}

/// Encodes planes as they are, with loss.
pub(crate) fn encode_planes(
    planes: &WebpPlanes,
    settings: Settings,
    attached: &Attached,
) -> Result<Vec<u8>, Error> {
    if settings.method == METHOD
        && let Some(frame) = vp8::encode(planes, settings.quality)
    {
        return file(&frame, (planes.width, planes.height), attached);
    }
    let chroma_stride = planes.width.div_ceil(2) as usize;
    let borrowed = YuvPlanesRef {
        y: &planes.y,
        y_stride: planes.width as usize,
        u: &planes.u,
        u_stride: chroma_stride,
        v: &planes.v,
        v_stride: chroma_stride,
        a: None,
        a_stride: 0,
        width: planes.width,
        height: planes.height,
    };
    finish(Encoder::new_yuv(borrowed), settings, attached)
}

/// A file of one VP8 frame. What comes with it takes the extended form, in the
/// order that the container's specification asks for.
fn file(frame: &[u8], (width, height): (u32, u32), attached: &Attached) -> Result<Vec<u8>, Error> {
    let Attached { icc, exif, xmp } = attached;
    let mut flags = 0;
    for (flag, part) in [(0x20, icc), (0x08, exif), (0x04, xmp)] {
        flags |= if part.is_some() { flag } else { 0 };
    }
    let mut extended = vec![flags, 0, 0, 0];
    for side in [width, height] {
        extended.extend_from_slice(&(side - 1).to_le_bytes()[..3]);
    }
    let chunks = [
        (*b"VP8X", (flags != 0).then_some(&extended[..])),
        (*b"ICCP", icc.as_deref()),
        (*b"VP8 ", Some(frame)),
        (*b"EXIF", exif.as_deref()),
        (*b"XMP ", xmp.as_deref()),
    ];
    let parts = chunks.iter().filter_map(|(_, bytes)| bytes.map(<[u8]>::len));
    // Chunks are padded to an even length.
    let size: usize = 4 + parts.map(|length| 8 + length.next_multiple_of(2)).sum::<usize>();
    let field = |size: usize| {
        u32::try_from(size).map(u32::to_le_bytes).map_err(|_| Error::Codec {
            format: "WebP",
            detail: format!("{size} bytes, more than the container can hold"),
        })
    };
    let mut file = Vec::with_capacity(8 + size);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&field(size)?);
    file.extend_from_slice(b"WEBP");
    for (name, bytes) in chunks {
        let Some(bytes) = bytes else { continue };
        file.extend_from_slice(&name);
        file.extend_from_slice(&field(bytes.len())?);
        file.extend_from_slice(bytes);
        file.resize(file.len().next_multiple_of(2), 0);
    }
    Ok(file)
}

fn finish(encoder: Encoder<'_>, settings: Settings, attached: &Attached) -> Result<Vec<u8>, Error> {
    let Settings { quality, lossless, method, shared } = settings;
    let mut config = EncoderConfig::new()
        .quality(f32::from(quality))
        .lossless(lossless)
        .method(method)
        .thread_level(u8::from(shared));
    if let Some(icc) = &attached.icc {
        config = config.icc_profile(icc.clone());
    }
    if let Some(exif) = &attached.exif {
        config = config.exif(exif.clone());
    }
    if let Some(xmp) = &attached.xmp {
        config = config.xmp(xmp.clone());
    }
    encoder
        .config(config)
        .encode(Unstoppable)
        .map_err(|e| Error::Codec { format: "WebP", detail: e.to_string() })
}

/// Bytes that encoding a still takes at its peak, the picture not counted.
///
/// Lossy: YUV, and the tokens of all coefficients, which noise makes many of.
/// Without loss, as alpha always is: ARGB, hash chains and references, with method
/// 5 also those without a cache of colours, with 6 those of every transformation,
/// of which whole quality tries all, and alpha is of whole quality. Measured on
/// noise of 3 and 6 megapixels: 18 bytes a pixel up to quality 89, 29 at 99; alpha
/// 39, with method 6 63; without loss 39, 49 and 58.
pub(crate) fn memory(pixels: u64, layout: Layout, settings: Settings) -> u64 {
    let without_loss = settings.lossless || layout == Layout::Rgba;
    let bytes = match (without_loss, settings.method) {
        (true, ..=4) => 42,
        (true, 5) => 54,
        (true, _) => 68,
        (false, _) if settings.quality < 90 => 20,
        (false, _) => 32,
    };
    pixels * bytes
}

/// The longest that a frame can be shown, in milliseconds.
const LONGEST_FRAME: u32 = (1 << 24) - 1;

/// An animated WebP being written frame by frame; libwebp finds what changed,
/// and writes frames that are the same as one.
pub(crate) struct AnimationWriter {
    encoder: webpx::AnimationEncoder,
    /// When the next frame begins, in milliseconds.
    time: u32,
}

impl AnimationWriter {
    /// `plays` is how often it plays, 0 for ever. `size` must pass [`super::fits`].
    pub(crate) fn new(size: Size, plays: u32, quality: u8) -> Result<Self, Error> {
        let mut encoder =
            webpx::AnimationEncoder::with_options(size.width, size.height, false, plays.min(u16::MAX.into()))
                .map_err(|e| failed(&e))?;
        encoder.set_quality(f32::from(quality));
        encoder.set_lossless(quality >= 100);
        Ok(Self { encoder, time: 0 })
    }

    pub(crate) fn add(&mut self, picture: Picture, delay: u32) -> Result<(), Error> {
        let pixels = picture.into_rgba().pixels;
        self.encoder.add_frame_rgba(&pixels, self.time.cast_signed()).map_err(|e| failed(&e))?;
        // A frame's duration has 24 bits, four hours; libwebp counts all in 31, three weeks.
        self.time = self.time.saturating_add(delay.min(LONGEST_FRAME)).min(i32::MAX as u32);
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, Error> {
        self.encoder.finish(self.time.cast_signed()).map_err(|e| failed(&e))
    }
}

fn failed(error: &impl std::fmt::Display) -> Error {
    Error::Codec { format: "WebP", detail: error.to_string() }
}
