//! The header of a JPEG XL (ISO/IEC 18181): the boxes are walked here, the
//! codestream's own header is read by the decoder, which is told to skip the
//! pixels but to see that all frames are there. Of an animation the first frame
//! is the picture.

use super::model::{Kind, Source};
use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::geometry::{Orientation, Size};
use crate::picture::{Depth, Layout};
use crate::{Error, Limits};
use jxl::api::{
    AlphaMode, Event, ExtraChannel, JxlBasicInfo, JxlBitDepth, JxlColorEncoding, JxlColorProfile, JxlDecoder,
    JxlDecoderOptions, JxlPrimaries, JxlTransferFunction, JxlWhitePoint,
};
use std::borrow::Cow;

pub(crate) use super::headers::JxlHeader;

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "JPEG XL", detail: detail.into() }
}

fn unsupported(feature: impl Into<String>) -> Error {
    Error::Unsupported { format: "JPEG XL", feature: feature.into() }
}

/// What the decoder refuses, in our words.
pub(crate) fn refused(error: &jxl::error::Error) -> Error {
    match error {
        jxl::error::Error::IOError(_) | jxl::error::Error::OutOfBounds(_) => malformed("it is cut off"),
        other => malformed(other.to_string()),
    }
}

/// The options of both passes. Level 5 of the standard bounds what a header can
/// ask for; nothing that is photographed is beyond it.
pub(crate) fn options() -> JxlDecoderOptions {
    let mut options = JxlDecoderOptions::default();
    options.adjust_orientation = false;
    options.alpha_mode = AlphaMode::Unpremultiplied;
    options
}

pub(super) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, Error> {
    let boxes = Boxes::read(bytes)?;
    let mut options = options();
    options.scan_frames_only = true;
    let mut decoder = JxlDecoder::new(options);
    let mut rest = bytes;
    let mut info: Option<JxlBasicInfo> = None;
    loop {
        match decoder.process(&mut rest, None, None).map_err(|e| refused(&e))? {
            Event::NeedMoreInput { .. } => return Err(malformed("it is cut off")),
            Event::Complete => break,
            Event::BasicInfo => {
                let found = decoder.basic_info().cloned();
                if let Some(found) = &found {
                    let (width, height) = found.size;
                    let pixels = (width as u64).saturating_mul(height as u64);
                    at_most(Limit::Pixels, "the picture", pixels, limits.pixels, "pixels")?;
                }
                info = found;
            }
            Event::FrameHeader | Event::FrameComplete { .. } => {}
        }
        let frames = decoder.scanned_frames().len() as u64;
        at_most(
            Limit::Frames,
            "the animation, as far as it was read,",
            frames,
            limits.frames.into(),
            "frames",
        )?;
    }
    let info = info.ok_or_else(|| malformed("it has no header"))?;
    let composed = match decoder.scanned_frames().first() {
        None => return Err(malformed("it holds no picture")),
        Some(frame) => {
            let (at, target) = (frame.file_offset, frame.seek_target);
            decoder.start_new_frame(target).map_err(|e| refused(&e))? != at
        }
    };
    let profile = decoder.embedded_color_profile().ok_or_else(|| malformed("it has no colour space"))?;
    if profile.is_cmyk() || info.extra_channels.iter().any(|c| c.ec_type == ExtraChannel::Black) {
        return Err(unsupported("CMYK"));
    }
    let alpha = info.extra_channels.iter().any(|c| c.ec_type == ExtraChannel::Alpha);
    let deep = matches!(info.bit_depth, JxlBitDepth::Float { .. }) || info.bit_depth.bits_per_sample() > 8;
    Ok(Source {
        bytes,
        stored: Size::new(info.size.0 as u32, info.size.1 as u32),
        // The codestream's word counts, whatever EXIF says (18181-2, 9.6).
        orientation: Orientation::from_exif(info.orientation as u16),
        frames: 1,
        depth: if deep { Depth::Sixteen } else { Depth::Eight },
        layout: match (alpha, profile.channels()) {
            (true, _) => Layout::Rgba,
            (false, 1) => Layout::Grey,
            (false, _) => Layout::Rgb,
        },
        colour: colour(profile),
        exif: boxes.exif,
        xmp: boxes.xmp.map(Cow::Borrowed),
        kind: Kind::Jxl(JxlHeader { extra: info.extra_channels.len(), composed }),
    })
}

/// A colour space of the decoder as one of ours.
pub(crate) fn colour(profile: &JxlColorProfile) -> ColourSpace<'static> {
    let JxlColorProfile::Simple(encoding) = profile else {
        return profile
            .try_as_icc()
            .map_or(ColourSpace::Srgb, |icc| ColourSpace::Icc(Cow::Owned(icc.into_owned())));
    };
    match encoding {
        JxlColorEncoding::RgbColorSpace {
            white_point: JxlWhitePoint::D65,
            primaries: JxlPrimaries::SRGB,
            transfer_function: JxlTransferFunction::SRGB,
            ..
        }
        | JxlColorEncoding::GrayscaleColorSpace { transfer_function: JxlTransferFunction::SRGB, .. } => {
            ColourSpace::Srgb
        }
        // An ICC profile has no curve for HDR; H.273 has a number.
        JxlColorEncoding::RgbColorSpace {
            white_point: JxlWhitePoint::D65,
            primaries,
            transfer_function: curve @ (JxlTransferFunction::PQ | JxlTransferFunction::HLG),
            ..
        } if !matches!(primaries, JxlPrimaries::Chromaticities { .. }) => ColourSpace::Cicp {
            primaries: match primaries {
                JxlPrimaries::P3 => 12,
                JxlPrimaries::BT2100 => 9,
                _ => 1,
            },
            transfer: if *curve == JxlTransferFunction::PQ { 16 } else { 18 },
        },
        _ => profile
            .try_as_icc()
            .map_or(ColourSpace::Srgb, |icc| ColourSpace::Icc(Cow::Owned(icc.into_owned()))),
    }
}

/// What the boxes around a codestream hold.
#[derive(Default)]
struct Boxes<'a> {
    exif: Option<&'a [u8]>,
    xmp: Option<&'a [u8]>,
}

impl<'a> Boxes<'a> {
    /// Walks the boxes of a container (ISO/IEC 18181-2), each of which must be
    /// there whole; a bare codestream has none.
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut found = Self::default();
        if bytes.starts_with(&[0xff, 0x0a]) {
            return Ok(found);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let cut = || malformed("it is cut off within a box");
            let (head, tail) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
            let &[l0, l1, l2, l3, k0, k1, k2, k3] = head;
            let length = u32::from_be_bytes([l0, l1, l2, l3]);
            let (data, next) = match length {
                0 => (tail, &[][..]),
                1 => {
                    let (long, tail) = tail.split_first_chunk::<8>().ok_or_else(cut)?;
                    let length = u64::from_be_bytes(*long).checked_sub(16).ok_or_else(cut)?;
                    usize::try_from(length).ok().and_then(|n| tail.split_at_checked(n)).ok_or_else(cut)?
                }
                _ => {
                    (length as usize).checked_sub(8).and_then(|n| tail.split_at_checked(n)).ok_or_else(cut)?
                }
            };
            match &[k0, k1, k2, k3] {
                // An offset to the TIFF structure comes first.
                b"Exif" => {
                    let at = data.first_chunk::<4>().map(|b| u32::from_be_bytes(*b) as usize + 4);
                    found.exif = found.exif.or_else(|| data.get(at?..));
                }
                b"xml " => found.xmp = found.xmp.or(Some(data)),
                _ => {}
            }
            rest = next;
        }
        Ok(found)
    }
}
