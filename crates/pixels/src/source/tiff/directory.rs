//! Directories of a TIFF structure, classic and Big, in both byte orders.
//! Owns bounds: whatever an offset says, nothing outside the bytes is read, and
//! values are looked up where they lie instead of being copied.
//!
//! Source: TIFF 6.0, section 2; `BigTIFF` (<https://libtiff.gitlab.io/libtiff/specification/bigtiff.html>).

/// A TIFF structure.
#[derive(Clone, Copy)]
pub(crate) struct File<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) little: bool,
    big: bool,
}

/// One directory.
#[derive(Clone, Copy)]
pub(crate) struct Directory<'a> {
    file: File<'a>,
    /// Offset of the first entry.
    at: u64,
    count: u64,
}

/// More entries than this are no directory; real ones have below a hundred.
const ENTRIES: u64 = 4096;

/// The values of a field.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    file: File<'a>,
    kind: u16,
    count: u64,
    at: u64,
}

impl<'a> File<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Option<Self> {
        let (little, big) = match bytes.first_chunk::<4>()? {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => return None,
        };
        let file = Self { bytes, little, big };
        // BigTIFF says how long its offsets are: 8, and a zero.
        (!big || (file.short(4)? == 8 && file.short(6)? == 0)).then_some(file)
    }

    fn array<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        self.bytes.get(usize::try_from(at).ok()?..)?.first_chunk().copied()
    }

    fn short(&self, at: u64) -> Option<u16> {
        let two = self.array(at)?;
        Some(if self.little { u16::from_le_bytes(two) } else { u16::from_be_bytes(two) })
    }

    fn long(&self, at: u64) -> Option<u32> {
        let four = self.array(at)?;
        Some(if self.little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) })
    }

    fn long8(&self, at: u64) -> Option<u64> {
        let eight = self.array(at)?;
        Some(if self.little { u64::from_le_bytes(eight) } else { u64::from_be_bytes(eight) })
    }

    fn offset(&self, at: u64) -> Option<u64> {
        if self.big { self.long8(at) } else { self.long(at).map(u64::from) }
    }

    pub(crate) fn first(&self) -> Option<Directory<'a>> {
        self.directory(self.offset(if self.big { 8 } else { 4 })?)
    }

    /// The directory at an offset, all of whose entries are there.
    pub(crate) fn directory(&self, at: u64) -> Option<Directory<'a>> {
        let (count, entries) = if self.big {
            (self.long8(at)?, at.checked_add(8)?)
        } else {
            (u64::from(self.short(at)?), at.checked_add(2)?)
        };
        let end = count.checked_mul(self.entry_bytes())?.checked_add(entries)?;
        ((1..=ENTRIES).contains(&count) && end <= self.bytes.len() as u64).then_some(Directory {
            file: *self,
            at: entries,
            count,
        })
    }

    /// `first` and the directories chained behind it, at most `most`, since a
    /// chain may bite its own tail; `None` where it leads out of the file.
    pub(crate) fn chain(&self, first: Directory<'a>, most: usize) -> Option<Vec<Directory<'a>>> {
        let mut pages = vec![first];
        let mut last = first;
        while pages.len() < most {
            match self.offset(last.at + last.count * self.entry_bytes())? {
                0 => break,
                next => last = self.directory(next)?,
            }
            pages.push(last);
        }
        Some(pages)
    }

    const fn entry_bytes(&self) -> u64 {
        if self.big { 20 } else { 12 }
    }
}

impl<'a> Directory<'a> {
    /// The field `tag`, all of whose values are within the file.
    pub(crate) fn field(&self, tag: u16) -> Option<Values<'a>> {
        // Ascending by the specification, but not by every writer.
        let entry = self.entries().find(|&entry| self.file.short(entry) == Some(tag))?;
        self.values(entry).filter(|values| values.count > 0 && values.are_there())
    }

    /// The first of the specification's own fields, below 32,768, or of
    /// `others`, whose values are not within the file.
    pub(crate) fn cut_off(&self, others: &[u16]) -> Option<u16> {
        self.entries().find_map(|entry| {
            let tag = self.file.short(entry)?;
            let ours = tag < 0x8000 || others.contains(&tag);
            (ours && self.values(entry).is_some_and(|values| !values.are_there())).then_some(tag)
        })
    }

    fn entries(&self) -> impl Iterator<Item = u64> {
        let (at, bytes) = (self.at, self.file.entry_bytes());
        (0..self.count).map(move |i| at + i * bytes)
    }

    /// The values of an entry, wherever they are; `None` for types that nobody
    /// has defined.
    fn values(&self, entry: u64) -> Option<Values<'a>> {
        let file = self.file;
        let kind = file.short(entry + 2)?;
        let (count, value, inline) = if file.big {
            (file.long8(entry + 4)?, entry + 12, 8)
        } else {
            (u64::from(file.long(entry + 4)?), entry + 8, 4)
        };
        let at = if count.saturating_mul(bytes_of(kind)?) <= inline { value } else { file.offset(value)? };
        Some(Values { file, kind, count, at })
    }

    /// The first value of `tag`, where it is a whole number.
    pub(crate) fn number(&self, tag: u16) -> Option<u64> {
        self.field(tag)?.get(0)
    }

    /// The values of `tag` as the bytes that they are, where they are bytes.
    pub(crate) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        let field = self.field(tag)?;
        if !matches!(field.kind, 1 | 2 | 7) {
            return None;
        }
        let start = usize::try_from(field.at).ok()?;
        field.file.bytes.get(start..start.checked_add(field.count as usize)?)
    }
}

impl Values<'_> {
    fn are_there(&self) -> bool {
        let bytes = bytes_of(self.kind).and_then(|bytes| self.count.checked_mul(bytes));
        let end = bytes.and_then(|bytes| self.at.checked_add(bytes));
        end.is_some_and(|end| end <= self.file.bytes.len() as u64)
    }

    pub(crate) const fn len(&self) -> u64 {
        self.count
    }

    pub(crate) fn get(&self, index: u64) -> Option<u64> {
        if index >= self.count {
            return None;
        }
        let at = self.at + index * bytes_of(self.kind)?;
        match self.kind {
            1 | 7 => self.file.array::<1>(at).map(|[v]| v.into()),
            3 => self.file.short(at).map(u64::from),
            4 | 13 => self.file.long(at).map(u64::from),
            16 | 18 => self.file.long8(at),
            _ => None,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        (0..self.count).map_while(|i| self.get(i))
    }
}

/// Bytes of one value of a type; `None` for types that nobody has defined.
const fn bytes_of(kind: u16) -> Option<u64> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16..=18 => Some(8),
        _ => None,
    }
}
