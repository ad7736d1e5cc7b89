//! The few EXIF fields that matter to a print: read from a TIFF structure that
//! nobody vouches for, and written anew. Owns bounds; refuses nothing: what
//! cannot be read is as if it were absent, since a broken camera note is no
//! reason to lose a picture. A reader apart from that of the TIFF codec
//! (`source/tiff/directory.rs`), which follows chains of directories, arrays and
//! `BigTIFF`: EXIF has none of them.
//!
//! Source: TIFF 6.0, section 2; Exif 2.32, 4.6.

use crate::geometry::Orientation;

const ORIENTATION: u16 = 0x0112;
const ARTIST: u16 = 0x013b;
const COPYRIGHT: u16 = 0x8298;
const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// Longest credit that is copied to each print, in bytes. A longer one is cut:
/// the whole text stays in the source picture.
const LONGEST_CREDIT: usize = 1024;

/// What a print wants to know of a picture's EXIF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exif<'a> {
    pub(crate) orientation: Orientation,
    pub(crate) artist: Option<&'a [u8]>,
    pub(crate) copyright: Option<&'a [u8]>,
}

/// One entry of the first directory.
struct Entry<'a> {
    tag: u16,
    kind: u16,
    count: u32,
    /// Offset of the four value bytes from the start of the structure.
    at: usize,
    value: &'a [u8; 4],
}

struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Tiff<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let little = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        Some(Self { bytes, little })
    }

    fn short(&self, at: usize) -> Option<u16> {
        let two = *self.bytes.get(at..)?.first_chunk::<2>()?;
        Some(if self.little { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let four = *self.bytes.get(at..)?.first_chunk::<4>()?;
        Some(if self.little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    }

    /// The entries of the first directory, as many as the bytes hold; at most
    /// 65,535 of them, by the format.
    fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        let start = self.long(4).map_or(usize::MAX, |at| at as usize);
        let count = self.short(start).unwrap_or(0);
        (0..usize::from(count)).map_while(move |i| {
            let at = start.checked_add(2 + 12 * i)?;
            Some(Entry {
                tag: self.short(at)?,
                kind: self.short(at + 2)?,
                count: self.long(at + 4)?,
                at: at + 8,
                value: self.bytes.get(at + 8..)?.first_chunk::<4>()?,
            })
        })
    }

    fn text(&self, entry: &Entry<'a>) -> Option<&'a [u8]> {
        if entry.kind != ASCII {
            return None;
        }
        let length = entry.count as usize;
        let text = if length <= 4 {
            &entry.value[..length]
        } else {
            let at = self.long(entry.at)? as usize;
            self.bytes.get(at..at.checked_add(length)?)?
        };
        let end = text.iter().rposition(|b| !matches!(b, 0 | b' '))? + 1;
        Some(&text[..end.min(LONGEST_CREDIT)])
    }
}

impl<'a> Exif<'a> {
    /// Reads `bytes`, with or without the `Exif\0\0` that JPEG puts before it.
    pub(crate) fn read(bytes: &'a [u8]) -> Self {
        let mut exif = Self { orientation: Orientation::UPRIGHT, artist: None, copyright: None };
        let Some(tiff) = Tiff::open(strip_marker(bytes)) else {
            return exif;
        };
        for entry in tiff.entries() {
            match entry.tag {
                ORIENTATION if entry.count == 1 => {
                    let value = match entry.kind {
                        SHORT => tiff.short(entry.at),
                        LONG => tiff.long(entry.at).map(|v| u16::try_from(v).unwrap_or(0)),
                        _ => None,
                    };
                    exif.orientation = Orientation::from_exif(value.unwrap_or(1));
                }
                ARTIST => exif.artist = tiff.text(&entry),
                COPYRIGHT => exif.copyright = tiff.text(&entry),
                _ => {}
            }
        }
        exif
    }

    /// A structure of nothing but Artist and Copyright; `None` where the
    /// picture has neither.
    pub(crate) fn credits(&self) -> Option<Vec<u8>> {
        let fields: Vec<(u16, &[u8])> = [(ARTIST, self.artist), (COPYRIGHT, self.copyright)]
            .into_iter()
            .filter_map(|(tag, text)| text.filter(|text| !text.is_empty()).map(|text| (tag, text)))
            .collect();
        if fields.is_empty() {
            return None;
        }
        let mut out = b"II*\0\x08\0\0\0".to_vec();
        out.extend((fields.len() as u16).to_le_bytes());
        let mut texts: Vec<u8> = Vec::new();
        let texts_at = 8 + 2 + 12 * fields.len() + 4;
        for (tag, text) in fields {
            let mut value = text.to_vec();
            value.push(0);
            out.extend(tag.to_le_bytes());
            out.extend(ASCII.to_le_bytes());
            out.extend((value.len() as u32).to_le_bytes());
            if value.len() <= 4 {
                value.resize(4, 0);
                out.extend(value);
            } else {
                out.extend(((texts_at + texts.len()) as u32).to_le_bytes());
                texts.extend(value);
                if texts.len() % 2 == 1 {
                    texts.push(0); // values begin on a word boundary
                }
            }
        }
        out.extend([0; 4]); // no further directory
        out.extend(texts);
        Some(out)
    }
}

/// A copy of the whole structure with Orientation set to 1, for a print whose
/// pixels have been turned. `None` where `bytes` is no TIFF structure.
pub(crate) fn upright_copy(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = strip_marker(bytes);
    let tiff = Tiff::open(bytes)?;
    let mut copy = bytes.to_vec();
    for entry in tiff.entries().filter(|entry| entry.tag == ORIENTATION) {
        let one: [u8; 4] = match (entry.kind, tiff.little) {
            (LONG, false) => [0, 0, 0, 1],
            (SHORT, false) => [0, 1, 0, 0],
            _ => [1, 0, 0, 0],
        };
        copy[entry.at..entry.at + 4].copy_from_slice(&one);
    }
    Some(copy)
}

fn strip_marker(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"Exif\0\0").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera(little: bool) -> Vec<u8> {
        let short = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let long = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let mut out = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        out.extend(long(8));
        out.extend(short(3));
        for (tag, kind, count) in [(ORIENTATION, SHORT, 1), (ARTIST, ASCII, 4), (COPYRIGHT, ASCII, 12)] {
            out.extend(short(tag));
            out.extend(short(kind));
            out.extend(long(count));
            match tag {
                ORIENTATION => {
                    out.extend(short(6));
                    out.extend([0, 0]);
                }
                ARTIST => out.extend(b"Ada\0"),
                _ => out.extend(long(8 + 2 + 36 + 4)),
            }
        }
        out.extend(long(0));
        out.extend(b"(c) Ada L.\0\0");
        out
    }

    #[test]
    fn orientation_and_credits_are_read_in_both_byte_orders() {
        for little in [true, false] {
            let bytes = camera(little);
            let mut in_jpeg = b"Exif\0\0".to_vec();
            in_jpeg.extend(&bytes);
            for bytes in [bytes, in_jpeg] {
                let exif = Exif::read(&bytes);
                assert_eq!(exif.orientation, Orientation::from_exif(6));
                assert_eq!(exif.artist, Some(b"Ada".as_slice()));
                assert_eq!(exif.copyright, Some(b"(c) Ada L.".as_slice()));
            }
        }
    }

    #[test]
    fn credits_survive_and_nothing_else_does() {
        let bytes = camera(false);
        let written = Exif::read(&bytes).credits().unwrap();
        let read = Exif::read(&written);
        assert_eq!(read.orientation, Orientation::UPRIGHT);
        assert_eq!((read.artist, read.copyright), (Some(&b"Ada"[..]), Some(&b"(c) Ada L."[..])));
        assert_eq!(Exif::read(b"II*\0").credits(), None);
    }

    #[test]
    fn an_upright_copy_differs_in_the_orientation_alone() {
        for little in [true, false] {
            let bytes = camera(little);
            let copy = upright_copy(&bytes).unwrap();
            assert_eq!(Exif::read(&copy).orientation, Orientation::UPRIGHT);
            assert_eq!(copy.iter().zip(&bytes).filter(|(a, b)| a != b).count(), 1);
        }
        assert_eq!(upright_copy(b"not TIFF"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), magic: bool) {
            if magic && bytes.len() > 8 {
                bytes[..8].copy_from_slice(b"II*\0\x08\0\0\0");
            }
            let exif = Exif::read(&bytes);
            if let Some(credits) = exif.credits() {
                let again = Exif::read(&credits);
                prop_assert_eq!((again.artist, again.copyright), (exif.artist, exif.copyright));
            }
            if let Some(copy) = upright_copy(&bytes) {
                prop_assert_eq!(copy.len(), strip_marker(&bytes).len());
            }
        }
    }
}
