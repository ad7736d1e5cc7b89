//! WebP over libwebp, lossy, with alpha.

use crate::Error;
use crate::metadata::Attached;
use crate::picture::{Layout, Picture};
use crate::planes::WebpPlanes;
use webpx::{Encoder, EncoderConfig, Unstoppable, YuvPlanesRef};

/// libwebp's effort, 0–6. 4 is libwebp's and sharp's default, so that prints are
/// as small as those that people compare them with.
const METHOD: u8 = 4;

/// Encodes pixels. libwebp's quality scale, 1–100.
pub(crate) fn encode(picture: &Picture, quality: u8, attached: &Attached) -> Result<Vec<u8>, Error> {
    let (width, height) = (picture.size.width, picture.size.height);
    match picture.layout {
        Layout::Rgba => finish(Encoder::new_rgba(&picture.pixels, width, height), quality, attached),
        Layout::Rgb => finish(Encoder::new_rgb(&picture.pixels, width, height), quality, attached),
        Layout::Grey => {
            let rgb = picture.clone().into_rgb();
            finish(Encoder::new_rgb(&rgb.pixels, width, height), quality, attached)
        }
    }
}

/// Encodes planes as they are.
pub(crate) fn encode_planes(planes: &WebpPlanes, quality: u8, attached: &Attached) -> Result<Vec<u8>, Error> {
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
    finish(Encoder::new_yuv(borrowed), quality, attached)
}

fn finish(encoder: Encoder<'_>, quality: u8, attached: &Attached) -> Result<Vec<u8>, Error> {
    let mut config = EncoderConfig::new().quality(f32::from(quality)).method(METHOD);
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
