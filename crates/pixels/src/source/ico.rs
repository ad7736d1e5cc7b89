//! The header of an icon or a cursor: which of its pictures is the largest.
//! Each is a PNG or a BMP without its file header, and is read as one.
//!
//! Source: "The ICO file format" of Microsoft's Win32 icons; PNG since Vista.

use super::model::{Kind, Source};
use super::{bmp, png};
use crate::Error;
use std::cmp::Reverse;

pub(crate) use super::model::IcoHeader;

fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "ICO", detail: detail.into() }
}

/// More entries than this are looked at by nobody.
const ENTRIES: usize = 1024;

pub(super) fn read(bytes: &[u8]) -> Result<Source<'_>, Error> {
    let Some(&[_, _, _, _, n0, n1]) = bytes.first_chunk::<6>() else {
        return Err(malformed("it ends before its header is complete"));
    };
    let count = usize::from(u16::from_le_bytes([n0, n1])).min(ENTRIES);
    let directory =
        bytes.get(6..6 + 16 * count).ok_or_else(|| malformed("it ends before its directory is complete"))?;
    let mut pictures = Vec::new();
    for entry in directory.as_chunks::<16>().0 {
        let number =
            |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]) as usize;
        let (length, start) = (number(8), number(12));
        let data = start
            .checked_add(length)
            .and_then(|end| bytes.get(start..end))
            .ok_or_else(|| malformed("it is cut off: a picture lies behind its end"))?;
        // 256 does not fit a byte and is stored as 0.
        let side = |v: u8| if v == 0 { 256 } else { u32::from(v) };
        pictures.push((side(entry[0]) * side(entry[1]), entry[6], data));
    }
    // The first of the largest, of the most colours where sizes are the same.
    pictures.sort_by_key(|&(pixels, bits, _)| Reverse((pixels, bits)));
    let (_, _, data) = *pictures.first().ok_or_else(|| malformed("it holds no picture"))?;
    let entry = if data.starts_with(b"\x89PNG") { png::read(data)? } else { bmp::read_icon(data)? };
    Ok(Source {
        bytes,
        stored: entry.stored,
        orientation: entry.orientation,
        frames: 1,
        depth: entry.depth,
        layout: entry.layout,
        colour: entry.colour.clone(),
        exif: entry.exif,
        xmp: None,
        kind: Kind::Ico(IcoHeader { entry: Box::new(entry) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    /// Entries of side, bits and a 32-bit bitmap of that side.
    fn icon(entries: &[(u8, u8)]) -> Vec<u8> {
        let mut out = vec![0, 0, 1, 0, entries.len() as u8, 0];
        let mut data = Vec::new();
        for &(side, bits) in entries {
            let mut bitmap = vec![40, 0, 0, 0, side, 0, 0, 0, side * 2, 0, 0, 0, 1, 0, 32, 0];
            bitmap.resize(40 + usize::from(side) * usize::from(side) * 4, bits);
            bitmap[16..40].fill(0);
            out.extend([side, side, 0, 0, 1, 0, bits, 0]);
            out.extend((bitmap.len() as u32).to_le_bytes());
            out.extend((6 + 16 * entries.len() as u32 + data.len() as u32).to_le_bytes());
            data.extend(bitmap);
        }
        out.extend(data);
        out
    }

    #[test]
    fn the_largest_picture_is_taken_and_none_may_be_missing() {
        let bytes = icon(&[(4, 32), (8, 8), (8, 32), (2, 32)]);
        let source = read(&bytes).unwrap();
        assert_eq!(source.stored, Size::new(8, 8));
        let Kind::Ico(header) = &source.kind else { panic!("an icon") };
        assert_eq!(header.entry.bytes.last(), Some(&32), "the one of more colours");
        for end in 0..bytes.len() {
            assert!(matches!(read(&bytes[..end]), Err(Error::Malformed { .. })), "cut at {end}");
        }
        assert!(matches!(read(&icon(&[])), Err(Error::Malformed { .. })));
    }
}
