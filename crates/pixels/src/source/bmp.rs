//! The header of a BMP, and of the bitmaps without a file header that icons
//! hold. Owns where palette and rows lie; refuses what only printers understand
//! (JPEG and PNG inside) and bitmaps cut off.
//!
//! Source: Microsoft's "Bitmap Header Types", BITMAPV5HEADER; OS/2's header of
//! 12 bytes.

use super::model::{Kind, Source};
use crate::Error;
use crate::colour::ColourSpace;
use crate::geometry::{Orientation, Size};
use crate::picture::{Depth, Layout};
use std::borrow::Cow;

pub(crate) use super::headers::{BmpHeader, Packing};

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "BMP", detail: detail.into() }
}

fn unsupported(feature: impl Into<String>) -> Error {
    Error::Unsupported { format: "BMP", feature: feature.into() }
}

pub(super) fn read(bytes: &[u8]) -> Result<Source<'_>, Error> {
    let pixels = long(bytes, 10).ok_or_else(short)?;
    bitmap(bytes, 14, Some(pixels as usize))
}

/// The bitmap of an icon, which begins with its header.
pub(super) fn read_icon(bytes: &[u8]) -> Result<Source<'_>, Error> {
    bitmap(bytes, 0, None)
}

fn short() -> Error {
    malformed("it ends before its header is complete")
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// `at` is the offset of the bitmap's header; `pixels` that of its pixels,
/// which in an icon follow the palette.
fn bitmap(bytes: &[u8], at: usize, pixels: Option<usize>) -> Result<Source<'_>, Error> {
    let length = long(bytes, at).ok_or_else(short)? as usize;
    let icon = pixels.is_none();
    let field = |offset: usize| long(bytes, at + offset).ok_or_else(short);
    let (width, height, bits, compression, used) = match length {
        12 => {
            let side = |offset| word(bytes, at + offset).map(i32::from).ok_or_else(short);
            (side(4)?, side(6)?, word(bytes, at + 10).ok_or_else(short)?, 0, 0)
        }
        // OS/2's second header may be cut after 16 bytes; nobody writes it so.
        40 | 52 | 56 | 64 | 108 | 124 => (
            field(4)?.cast_signed(),
            field(8)?.cast_signed(),
            word(bytes, at + 14).ok_or_else(short)?,
            field(16)?,
            field(32)?,
        ),
        other => return Err(unsupported(format!("a header of {other} bytes"))),
    };
    if bytes.len() < at + length {
        return Err(short());
    }
    let top_down = height < 0;
    let height = height.unsigned_abs() / if icon { 2 } else { 1 };
    let stored = Size::new(u32::try_from(width).unwrap_or(0), height);
    if stored.width == 0 || stored.height == 0 {
        return Err(malformed(format!("its size is {width} x {height} pixels")));
    }
    let masks_at = at + 40;
    let masks_behind = match (length, compression) {
        (40, 3) => 12,
        (40, 6) => 16,
        _ => 0,
    };
    let masks = |count: usize| -> Result<[u32; 4], Error> {
        let mut masks = [0; 4];
        for (i, mask) in masks.iter_mut().enumerate().take(count) {
            *mask = long(bytes, masks_at + 4 * i).ok_or_else(short)?;
        }
        Ok(masks)
    };
    let packing = match (compression, bits) {
        (0, 1 | 2 | 4 | 8) => Packing::Indices(bits),
        (0, 16) => Packing::Fields { bits, masks: [0x7c00, 0x3e0, 0x1f, 0] },
        (0, 24) => Packing::Bgr,
        (0, 32) => {
            Packing::Fields { bits, masks: [0xff_0000, 0xff00, 0xff, if icon { 0xff00_0000 } else { 0 }] }
        }
        (1, 8) => Packing::Rle8,
        (2, 4) => Packing::Rle4,
        (3 | 6, 16 | 32) if length != 64 => {
            let masks = masks(if length >= 56 || compression == 6 { 4 } else { 3 })?;
            let beyond = masks.iter().any(|&mask| bits == 16 && mask > 0xffff);
            let gaps = masks.iter().any(|&mask| {
                mask.count_ones() + mask.leading_zeros() + mask.trailing_zeros() != 32 && mask != 0
            });
            if beyond || gaps || masks[..3].contains(&0) {
                return Err(malformed("its colour masks make no sense"));
            }
            Packing::Fields { bits, masks }
        }
        (4, _) => return Err(unsupported("JPEG inside")),
        (5, _) => return Err(unsupported("PNG inside")),
        _ => return Err(unsupported(format!("compression {compression} of {bits} bits"))),
    };
    let palette_at = at + length + masks_behind;
    let entry = if length == 12 { 3 } else { 4 };
    let most = match packing {
        Packing::Indices(bits) => 1 << bits,
        Packing::Rle8 => 256,
        Packing::Rle4 => 16,
        _ => 0,
    };
    let mut count = if used == 0 { most } else { (used as usize).min(most) };
    let pixels = pixels.unwrap_or(palette_at + count * entry);
    // Some writers forget that their palette is shorter.
    count = count.min(pixels.saturating_sub(palette_at) / entry);
    if most > 0 && count == 0 {
        return Err(malformed("it has no palette"));
    }
    let header = BmpHeader { packing, top_down, palette: (palette_at, count, entry), pixels, icon };
    rows_are_there(bytes, &header, stored)?;
    Ok(Source {
        bytes,
        stored,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        depth: Depth::Eight,
        layout: if header.alpha() { Layout::Rgba } else { Layout::Rgb },
        colour: profile(bytes, at, length),
        exif: None,
        xmp: None,
        kind: Kind::Bmp(header),
    })
}

fn rows_are_there(bytes: &[u8], header: &BmpHeader, size: Size) -> Result<(), Error> {
    let needed = if header.is_run_length() {
        1
    } else {
        // The padding of the last row may be missing.
        let row = (u64::from(size.width) * u64::from(header.bits())).div_ceil(8);
        BmpHeader::stride(size.width, header.bits()) * u64::from(size.height - 1) + row
    };
    if header.pixels as u64 + needed > bytes.len() as u64 {
        return Err(malformed("it is cut off"));
    }
    Ok(())
}

/// The profile that a version 5 header embeds.
fn profile(bytes: &[u8], at: usize, length: usize) -> ColourSpace<'_> {
    let embedded = || {
        if length != 124 || long(bytes, at + 56)? != u32::from_be_bytes(*b"MBED") {
            return None;
        }
        let start = at.checked_add(long(bytes, at + 112)? as usize)?;
        bytes.get(start..start.checked_add(long(bytes, at + 116)? as usize)?)
    };
    embedded().map_or(ColourSpace::Srgb, |icc| ColourSpace::Icc(Cow::Borrowed(icc)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bmp(width: i32, height: i32, bits: u16, compression: u32, rest: &[u8]) -> Vec<u8> {
        let mut out = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        out.extend(width.to_le_bytes());
        out.extend(height.to_le_bytes());
        out.extend(1_u16.to_le_bytes());
        out.extend(bits.to_le_bytes());
        out.extend(compression.to_le_bytes());
        out.extend([0; 20]);
        out.extend(rest);
        out
    }

    #[test]
    fn rows_must_be_there() {
        let whole = bmp(3, -2, 24, 0, &[0; 21]);
        let source = read(&whole).unwrap();
        assert_eq!(source.stored, Size::new(3, 2));
        assert!(matches!(source.kind, Kind::Bmp(BmpHeader { top_down: true, .. })));
        for end in 0..whole.len() {
            assert!(matches!(read(&whole[..end]), Err(Error::Malformed { .. })), "cut at {end}");
        }
    }

    #[test]
    fn strange_headers_are_refused() {
        let refused =
            |width, height, bits, compression| match read(&bmp(width, height, bits, compression, &[0; 64])) {
                Err(Error::Malformed { .. }) => "malformed",
                Err(Error::Unsupported { .. }) => "unsupported",
                Err(other) => panic!("{other}"),
                Ok(_) => "read",
            };
        assert_eq!(refused(2, 2, 24, 0), "read");
        assert_eq!(refused(0, 2, 24, 0), "malformed");
        assert_eq!(refused(-2, 2, 24, 0), "malformed");
        assert_eq!(refused(i32::MIN, i32::MIN, 24, 0), "malformed");
        assert_eq!(refused(i32::MAX, i32::MIN, 32, 0), "malformed");
        assert_eq!(refused(2, 2, 24, 4), "unsupported");
        assert_eq!(refused(2, 2, 24, 1), "unsupported");
        assert_eq!(refused(2, 2, 7, 0), "unsupported");
        assert_eq!(refused(2, 2, 16, 3), "malformed", "masks of nothing");
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0_u8..6) {
            if let Some(length) = bytes.get_mut(14..18) {
                length.copy_from_slice(&[[12, 40, 52, 56, 108, 124][usize::from(kind)], 0, 0, 0]);
            }
            let _ = read(&bytes);
            let _ = read_icon(bytes.get(14..).unwrap_or_default());
        }
    }
}
