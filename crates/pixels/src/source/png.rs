//! The header of a PNG (W3C PNG third edition).
//!
//! Chunks are walked here and not by the decoder, which stops at the first
//! IDAT: an eXIf chunk may follow the pixels, and nothing may be decompressed
//! before the size is known to be within the limits.

use super::model::{Kind, Source};
use super::shared::{LARGEST_PROFILE, turned_by};
use crate::Error;
use crate::colour::{Chromaticities, ColourSpace};
use crate::geometry::{Orientation, Size};
use crate::picture::{Depth, Layout};
use std::borrow::Cow;

pub(crate) use super::headers::PngHeader;

/// Deflate makes at most as many bytes of one (RFC 1951).
const MOST_OF_ONE: u64 = 1032;

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "PNG", detail: detail.into() }
}

/// The chunks of a PNG, in order, until the bytes end or break off.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_first_chunk::<8>()?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let data = tail.get(..length)?;
        rest = tail.get(length + 4..).unwrap_or_default();
        Some(([head[4], head[5], head[6], head[7]], data))
    })
}

pub(super) fn read(bytes: &[u8]) -> Result<Source<'_>, Error> {
    let mut all = chunks(bytes);
    let Some((kind, ihdr)) = all.next() else {
        return Err(malformed("it ends before its header is complete"));
    };
    let (b"IHDR", &[w0, w1, w2, w3, h0, h1, h2, h3, depth, colour_type, _, _, interlace]) = (&kind, ihdr)
    else {
        return Err(malformed("its first chunk is no IHDR of 13 bytes"));
    };
    let stored = Size::new(u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
    if stored.width == 0 || stored.height == 0 {
        return Err(malformed(format!("its size is {} x {} pixels", stored.width, stored.height)));
    }
    let mut source = Source {
        bytes,
        stored,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        depth: if depth == 16 { Depth::Sixteen } else { Depth::Eight },
        layout: match colour_type {
            0 => Layout::Grey,
            4 | 6 => Layout::Rgba,
            _ => Layout::Rgb,
        },
        colour: ColourSpace::Srgb,
        exif: None,
        xmp: None,
        kind: Kind::Png(PngHeader { depth, colour_type, interlaced: interlace == 1 }),
    };
    let mut colour = Colour::default();
    let mut animation = Animation::default();
    for (kind, data) in all {
        match &kind {
            b"acTL" => animation.stated = data.first_chunk::<4>().map(|b| u32::from_be_bytes(*b)),
            b"fcTL" => animation.begun = animation.begun.saturating_add(1),
            b"IDAT" if animation.stated.is_none() => animation.still = true,
            b"IEND" => animation.ended = true,
            b"tRNS" => source.layout = Layout::Rgba,
            b"eXIf" => source.exif = Some(data),
            b"iTXt" if source.xmp.is_none() => source.xmp = xmp(data).map(Cow::Borrowed),
            b"iCCP" => colour.iccp = Some(data.len() as u64),
            b"sRGB" => colour.srgb = true,
            b"cICP" => colour.cicp = data.first_chunk::<4>().copied(),
            b"gAMA" => colour.gamma = data.first_chunk::<4>().map(|b| u32::from_be_bytes(*b)),
            b"cHRM" => colour.chromaticities = chromaticities(data),
            _ => {}
        }
    }
    source.frames = animation.frames()?;
    source.orientation = turned_by(source.exif);
    source.colour = colour.resolve();
    Ok(source)
}

/// The chunks of an animation (third edition, 11.3.6).
#[derive(Default)]
struct Animation {
    /// Frames by acTL.
    stated: Option<u32>,
    /// Frames begun: fcTL.
    begun: u32,
    /// The pixels came before acTL, which then means nothing.
    still: bool,
    ended: bool,
}

impl Animation {
    fn frames(&self) -> Result<u32, Error> {
        match self.stated {
            Some(stated) if !self.still && stated > 0 => {
                if self.begun != stated || !self.ended {
                    return Err(malformed(format!(
                        "it has {} of the {stated} frames that it promises",
                        self.begun
                    )));
                }
                Ok(stated)
            }
            _ => Ok(1),
        }
    }
}

/// The colour chunks; the first in the standard's order of precedence counts
/// (third edition, 4.3: cICP, iCCP, sRGB, then cHRM and gAMA).
#[derive(Default)]
struct Colour {
    cicp: Option<[u8; 4]>,
    /// Bytes of the packed profile, its name included.
    iccp: Option<u64>,
    srgb: bool,
    gamma: Option<u32>,
    chromaticities: Option<Chromaticities>,
}

impl Colour {
    fn resolve(self) -> ColourSpace<'static> {
        if let Some([primaries, transfer, _, _]) = self.cicp {
            return ColourSpace::Cicp { primaries, transfer };
        }
        if let Some(packed) = self.iccp {
            let most = packed.saturating_mul(MOST_OF_ONE).min(LARGEST_PROFILE as u64);
            return ColourSpace::InFile { most };
        }
        match (self.srgb, self.gamma) {
            (false, Some(gamma)) if gamma > 0 => ColourSpace::Gamma {
                gamma: f64::from(gamma) / 100_000.0,
                chromaticities: self.chromaticities,
            },
            _ => ColourSpace::Srgb,
        }
    }
}

fn chromaticities(data: &[u8]) -> Option<Chromaticities> {
    let data = data.first_chunk::<32>()?;
    let (values, _) = data.as_chunks::<4>();
    let [wx, wy, rx, ry, gx, gy, bx, by]: [f32; 8] =
        std::array::from_fn(|i| (f64::from(u32::from_be_bytes(values[i])) / 100_000.0) as f32);
    Some(Chromaticities { white: (wx, wy), red: (rx, ry), green: (gx, gy), blue: (bx, by) })
}

/// The packet of an uncompressed `iTXt` chunk with Adobe's keyword for XMP.
fn xmp(data: &[u8]) -> Option<&[u8]> {
    // Keyword, compression flag and method, language, translated keyword.
    data.strip_prefix(b"XML:com.adobe.xmp\0\0\0")?.strip_prefix(b"\0\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Chunk<'a> = (&'a [u8; 4], &'a [u8]);

    fn png(width: u32, height: u32, extra: &[Chunk<'_>]) -> Vec<u8> {
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut ihdr = width.to_be_bytes().to_vec();
        ihdr.extend(height.to_be_bytes());
        ihdr.extend([8, 2, 0, 0, 0]);
        for (kind, data) in [(b"IHDR", ihdr.as_slice())].into_iter().chain(extra.iter().copied()) {
            out.extend((data.len() as u32).to_be_bytes());
            out.extend(kind);
            out.extend(data);
            out.extend([0; 4]);
        }
        out
    }

    #[test]
    fn the_orientation_is_found_behind_the_pixels() {
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let bytes = png(4, 2, &[(b"IDAT", b"?"), (b"eXIf", exif)]);
        let source = read(&bytes).unwrap();
        assert_eq!(source.seen(), Size::new(2, 4));
    }

    #[test]
    fn colour_chunks_are_taken_in_the_standards_order() {
        let gama = 100_000_u32.to_be_bytes();
        let cases: &[(&[Chunk<'_>], &str)] = &[
            (&[], "Srgb"),
            (&[(b"gAMA", &gama)], "Gamma"),
            (&[(b"gAMA", &gama), (b"sRGB", &[0])], "Srgb"),
            (&[(b"sRGB", &[0]), (b"iCCP", b"x\0\0")], "InFile"),
            (&[(b"iCCP", b"x\0\0"), (b"cICP", &[12, 13, 0, 1])], "Cicp"),
        ];
        for (extra, expected) in cases {
            let bytes = png(1, 1, extra);
            let found = format!("{:?}", read(&bytes).unwrap().colour);
            assert!(found.starts_with(expected), "{found} where {expected} was expected");
        }
    }

    #[test]
    fn a_header_without_pixels_or_cut_short_is_malformed() {
        assert!(matches!(read(&png(0, 1, &[])), Err(Error::Malformed { .. })));
        assert!(matches!(read(&png(1, 1, &[])[..20]), Err(Error::Malformed { .. })));
    }
}
