//! Encoding, from planes where there are planes.

use super::codec;
use super::decode::turbo;
use crate::Error;
use crate::geometry::Subsampling;
use crate::planes::Planes;
use turbojpeg::{Compressor, OutputBuf, PixelFormat};

/// The most bytes that the payload of one segment holds (ITU-T T.81 B.1.1.4).
pub(crate) const MAX_SEGMENT: usize = 65_533;

/// Metadata to put into a JPEG. What does not fit a JPEG is the caller's to
/// drop: [`AppSegments::fits`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AppSegments<'a> {
    /// A TIFF structure, without `Exif\0\0`.
    pub(crate) exif: Option<&'a [u8]>,
    /// A whole ICC profile.
    pub(crate) icc: Option<&'a [u8]>,
    /// An XMP packet.
    pub(crate) xmp: Option<&'a [u8]>,
}

const EXIF: &[u8] = b"Exif\0\0";
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const ICC: &[u8] = b"ICC_PROFILE\0";

impl AppSegments<'_> {
    /// Whether EXIF and XMP each fit one segment and the profile 255.
    pub(crate) fn fits(&self) -> bool {
        let fits =
            |data: Option<&[u8]>, prefix: &[u8]| data.is_none_or(|d| d.len() + prefix.len() <= MAX_SEGMENT);
        fits(self.exif, EXIF)
            && fits(self.xmp, XMP)
            && self.icc.is_none_or(|i| i.len() <= 255 * (MAX_SEGMENT - ICC.len() - 2))
    }

    /// The segments as they stand in a file, to follow the JFIF segment.
    pub(crate) fn to_bytes(self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        if !self.fits() {
            return Err(Error::Codec { format: "JPEG", detail: "metadata larger than a segment".into() });
        }
        let mut segment = |marker: u8, parts: &[&[u8]]| {
            let length = 2 + parts.iter().map(|p| p.len()).sum::<usize>();
            bytes.extend([0xff, marker]);
            bytes.extend((length as u16).to_be_bytes());
            for part in parts {
                bytes.extend_from_slice(part);
            }
        };
        if let Some(exif) = self.exif {
            segment(0xe1, &[EXIF, exif]);
        }
        if let Some(xmp) = self.xmp {
            segment(0xe1, &[XMP, xmp]);
        }
        if let Some(icc) = self.icc {
            let chunks = icc.chunks(MAX_SEGMENT - ICC.len() - 2);
            let count = chunks.len() as u8;
            for (chunk, number) in chunks.zip(1u8..) {
                segment(0xe2, &[ICC, &[number, count], chunk]);
            }
        }
        Ok(bytes)
    }
}

/// The chroma sampling of a print: libvips' and sharp's rule, halved chroma
/// below quality 90.
pub const fn subsampling_for(quality: u8) -> Subsampling {
    if quality >= 90 { Subsampling::S444 } else { Subsampling::S420 }
}

/// How a JPEG is written. A bare quality means [`EFFORT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    /// libjpeg's scale, 1–100.
    pub(crate) quality: u8,
    /// 0–9; see [`coding_for`].
    pub(crate) effort: u8,
}

impl Settings {
    /// `effort` as a recipe says it, or [`EFFORT`].
    pub(crate) fn of(quality: u8, effort: Option<u8>) -> Self {
        Self { quality, effort: effort.unwrap_or(EFFORT) }
    }
}

impl From<u8> for Settings {
    fn from(quality: u8) -> Self {
        Self::of(quality, None)
    }
}

/// The effort of a print whose recipe names none.
pub(crate) const EFFORT: u8 = 4;

/// How coefficients, which effort does not touch, are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Baseline, the Huffman tables of ITU-T T.81, annex K.
    Standard,
    /// Baseline, tables made for the picture.
    Optimised,
    /// Progressive, tables made for each scan.
    Progressive,
}

/// The way that `effort` (0–9) pays for: up to 4 the fastest; 5 and 6 tables of
/// the picture's own; from 7 on scans, which take the decoder longer too.
/// Measured on a photo of 1280 × 852 pixels at quality 80: 4.2 ms and 184 kB,
/// 15.5 ms and 180 kB, 47 ms and 175 kB.
pub(crate) const fn coding_for(effort: u8) -> Coding {
    match effort {
        0..=EFFORT => Coding::Standard,
        5 | 6 => Coding::Optimised,
        _ => Coding::Progressive,
    }
}

/// Encodes planes as they are.
pub(crate) fn encode_planes(
    planes: &Planes,
    settings: impl Into<Settings>,
    segments: AppSegments<'_>,
) -> Result<Vec<u8>, Error> {
    let mut compressor = compressor(settings.into())?;
    let image = turbojpeg::YuvImage {
        width: planes.width() as usize,
        height: planes.height() as usize,
        align: 1,
        subsamp: turbo(planes.subsampling()),
        pixels: planes.samples(),
    };
    let mut encoded = OutputBuf::new_owned();
    compressor.compress_yuv(image, &mut encoded).map_err(|e| codec(&e))?;
    with_segments(&encoded, segments)
}

/// Encodes RGB (`channels` 3) or grey (`channels` 1) pixels without row
/// padding.
pub(crate) fn encode_rgb(
    pixels: &[u8],
    channels: usize,
    width: u32,
    height: u32,
    settings: impl Into<Settings>,
    subsampling: Subsampling,
    segments: AppSegments<'_>,
) -> Result<Vec<u8>, Error> {
    let (format, subsampling) = match channels {
        1 => (PixelFormat::GRAY, Subsampling::Gray),
        _ => (PixelFormat::RGB, subsampling),
    };
    let mut compressor = compressor(settings.into())?;
    compressor.set_subsamp(turbo(subsampling)).map_err(|e| codec(&e))?;
    let image = turbojpeg::Image {
        pixels,
        width: width as usize,
        pitch: width as usize * format.size(),
        height: height as usize,
        format,
    };
    let mut encoded = OutputBuf::new_owned();
    compressor.compress(image, &mut encoded).map_err(|e| codec(&e))?;
    with_segments(&encoded, segments)
}

fn compressor(settings: Settings) -> Result<Compressor, Error> {
    let mut compressor = Compressor::new().map_err(|e| codec(&e))?;
    compressor.set_quality(i32::from(settings.quality.clamp(1, 100))).map_err(|e| codec(&e))?;
    match coding_for(settings.effort) {
        Coding::Standard => {}
        Coding::Optimised => compressor.set_optimize(true).map_err(|e| codec(&e))?,
        Coding::Progressive => compressor.set_progressive(true).map_err(|e| codec(&e))?,
    }
    Ok(compressor)
}

/// libjpeg writes start of image and the JFIF segment first; metadata belongs
/// right behind.
fn with_segments(encoded: &[u8], segments: AppSegments<'_>) -> Result<Vec<u8>, Error> {
    let extra = segments.to_bytes()?;
    let jfif_end = match encoded {
        [0xff, 0xd8, 0xff, 0xe0, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => 2,
    };
    let mut bytes = Vec::with_capacity(encoded.len() + extra.len());
    bytes.extend_from_slice(&encoded[..jfif_end]);
    bytes.extend_from_slice(&extra);
    bytes.extend_from_slice(&encoded[jfif_end..]);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_makes_smaller_files_of_the_same_pixels() {
        let pixels: Vec<u8> =
            (0..160 * 120 * 3_u32).map(|i| (i / 480 + i % 97 + (i * 31) % 40) as u8).collect();
        let encoded = |effort| {
            let settings = Settings { quality: 75, effort };
            encode_rgb(&pixels, 3, 160, 120, settings, Subsampling::S420, AppSegments::default()).unwrap()
        };
        let decoded = |bytes: &[u8]| turbojpeg::decompress(bytes, PixelFormat::RGB).unwrap().pixels;
        let [standard, optimised, progressive] = [EFFORT, 5, 7].map(encoded);
        assert!(progressive.len() < optimised.len() && optimised.len() < standard.len());
        assert_eq!(decoded(&standard), decoded(&optimised));
        assert_eq!(decoded(&standard), decoded(&progressive));
        assert!(turbojpeg::read_header(&progressive).unwrap().is_progressive);
        assert_eq!((encoded(0), encoded(6), encoded(9)), (standard, optimised, progressive));
    }
}
