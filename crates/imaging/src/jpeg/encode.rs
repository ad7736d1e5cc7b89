//! Encoding, from planes where there are planes.

use super::codec;
use super::decode::turbo;
use crate::Error;
use crate::planes::{Planes, Subsampling};
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
pub(crate) const fn subsampling_for(quality: u8) -> Subsampling {
    if quality >= 90 { Subsampling::S444 } else { Subsampling::S420 }
}

/// Encodes planes as they are: baseline, standard Huffman tables, libjpeg's
/// quality scale 1–100.
pub(crate) fn encode_planes(
    planes: &Planes,
    quality: u8,
    segments: AppSegments<'_>,
) -> Result<Vec<u8>, Error> {
    let mut compressor = compressor(quality)?;
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
    quality: u8,
    subsampling: Subsampling,
    segments: AppSegments<'_>,
) -> Result<Vec<u8>, Error> {
    let (format, subsampling) = match channels {
        1 => (PixelFormat::GRAY, Subsampling::Gray),
        _ => (PixelFormat::RGB, subsampling),
    };
    let mut compressor = compressor(quality)?;
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

fn compressor(quality: u8) -> Result<Compressor, Error> {
    let mut compressor = Compressor::new().map_err(|e| codec(&e))?;
    compressor.set_quality(i32::from(quality.clamp(1, 100))).map_err(|e| codec(&e))?;
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
