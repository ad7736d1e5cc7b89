//! The `meta` box: items, where their bytes lie, what they refer to and what
//! is said of them. Refuses counts beyond any camera's.

use super::Fault;
use super::boxes::{Box, Code, Reader, boxes, first_box};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Most items, and most extents, references and associations, of one file. A
/// phone's photo has about 50; 100 megapixels in tiles of 512 × 512 have 400.
const MOST: usize = 1 << 14;

/// Most properties of one item, which are gone through for each reference to it.
const MOST_PROPERTIES: usize = 64;

/// One item.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item<'a> {
    pub(super) kind: Code,
    /// MIME type of a `mime` item.
    pub(super) content_type: &'a [u8],
    place: Option<Place>,
    /// Index into the properties, and whether a reader must understand it.
    pub(super) properties: Vec<(usize, bool)>,
}

impl Item<'_> {
    /// Whether its bytes need not be copied together from several places.
    pub(super) fn lies_together(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.extents.len() == 1)
    }
}

/// Where an item's bytes lie.
#[derive(Debug, Clone)]
struct Place {
    method: u8,
    elsewhere: bool,
    /// Start and length; a length of 0 reaches to the end.
    extents: Vec<(u64, u64)>,
}

/// A reference from one item to others.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) kind: Code,
    pub(super) from: u32,
    pub(super) to: Vec<u32>,
}

/// A file whose boxes have been read.
#[derive(Debug, Clone)]
pub(crate) struct Container<'a> {
    file: &'a [u8],
    idat: &'a [u8],
    pub(super) primary: u32,
    items: BTreeMap<u32, Item<'a>>,
    pub(super) references: Vec<Reference>,
    properties: Vec<Box<'a>>,
}

/// What an ISO media file is, by its brands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Says that it holds AV1.
    Avif,
    /// Any other picture.
    Heif,
}

impl Kind {
    /// `None` where no brand is a picture's: a video, for instance.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let [_, _, _, _, b'f', b't', b'y', b'p', ..] = bytes else { return None };
        // A brand list as long as this is no brand list.
        let start = &bytes[..bytes.len().min(1024)];
        let length = u32::from_be_bytes(*start.first_chunk()?) as usize;
        let content = start.get(8..length.min(start.len()))?;
        let (codes, _) = content.as_chunks::<4>();
        // The major brand, then its version, then the compatible brands.
        let brands = || codes.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, code)| code);
        if brands().any(|b| matches!(b, b"avif" | b"avis")) {
            return Some(Self::Avif);
        }
        let heif = |b: &Code| {
            matches!(
                b,
                b"heic"
                    | b"heix"
                    | b"heim"
                    | b"heis"
                    | b"hevc"
                    | b"hevx"
                    | b"hevm"
                    | b"hevs"
                    | b"mif1"
                    | b"mif2"
                    | b"msf1"
                    | b"miaf"
            )
        };
        brands().any(heif).then_some(Self::Heif)
    }
}

impl<'a> Container<'a> {
    /// Reads the boxes; no pixel-sized allocation.
    pub(crate) fn read(file: &'a [u8]) -> Result<Self, Fault> {
        let mut meta = None;
        let mut moov = false;
        let mut rest = file;
        while let Some(kind) = rest.get(4..8) {
            let (found, next) = match first_box(rest, *b"file") {
                Ok(found) => found,
                Err(fault) if matches!(kind, b"ftyp" | b"meta" | b"mdat" | b"moov" | b"free") => {
                    return Err(fault);
                }
                // What phones put behind a picture need not be boxes.
                Err(_) => break,
            };
            match &found.kind {
                b"meta" if meta.is_none() => meta = Some(found),
                b"moov" => moov = true,
                _ => {}
            }
            rest = next;
        }
        let Some(meta) = meta else {
            return Err(if moov {
                Fault::unsupported("an image sequence without a primary picture")
            } else {
                Fault::malformed("it has no whole `meta` box")
            });
        };
        let mut reader = meta.reader();
        reader.version()?;
        let mut container = Self {
            file,
            idat: &[],
            primary: 0,
            items: BTreeMap::new(),
            references: Vec::new(),
            properties: Vec::new(),
        };
        let mut primary = None;
        for found in boxes(reader.rest, *b"meta") {
            let found = found?;
            match &found.kind {
                b"hdlr" => {
                    let mut reader = found.reader();
                    reader.version()?;
                    reader.u32()?;
                    if &reader.code()? != b"pict" {
                        return Err(Fault::unsupported("its `meta` box describes no picture"));
                    }
                }
                b"pitm" => {
                    let mut reader = found.reader();
                    let (version, _) = reader.version()?;
                    primary = Some(reader.number(if version == 0 { 2 } else { 4 })? as u32);
                }
                b"iinf" => container.read_items(found)?,
                b"iloc" => container.read_places(found)?,
                b"iref" => container.read_references(found)?,
                b"iprp" => container.read_properties(found)?,
                b"idat" => container.idat = found.content,
                _ => {}
            }
        }
        container.primary = primary.ok_or_else(|| Fault::malformed("it names no primary picture"))?;
        Ok(container)
    }

    pub(super) fn item(&self, id: u32) -> Result<&Item<'a>, Fault> {
        self.items
            .get(&id)
            .filter(|item| item.kind != Code::default())
            .ok_or_else(|| Fault::malformed(format!("item {id} is missing")))
    }

    /// The properties of `item` in their order, each with whether a reader must
    /// understand it.
    pub(super) fn properties(&self, item: &Item<'a>) -> impl Iterator<Item = (Box<'a>, bool)> {
        item.properties
            .iter()
            .filter_map(|&(index, essential)| Some((*self.properties.get(index)?, essential)))
    }

    /// The items that `from` refers to by `kind`, in their order.
    pub(super) fn targets(&self, from: u32, kind: Code) -> &[u32] {
        let found = self.references.iter().find(|reference| reference.from == from && reference.kind == kind);
        found.map_or(&[], |reference| &reference.to)
    }

    pub(super) const fn file_length(&self) -> usize {
        self.file.len()
    }

    /// The bytes of `item`, never more than the file has.
    pub(super) fn data(&self, item: &Item<'a>) -> Result<Cow<'a, [u8]>, Fault> {
        let place = item.place.as_ref().ok_or_else(|| Fault::malformed("an item has no bytes"))?;
        if place.elsewhere {
            return Err(Fault::unsupported("its pixels lie in another file"));
        }
        let within = match place.method {
            0 => self.file,
            1 => self.idat,
            _ => return Err(Fault::unsupported("items made of other items' bytes")),
        };
        let cut = || Fault::malformed("it is cut off");
        let extent = |&(start, length): &(u64, u64)| {
            let start = usize::try_from(start).map_err(|_| cut())?;
            let rest = within.get(start..).ok_or_else(cut)?;
            match usize::try_from(length).map_err(|_| cut())? {
                0 => Ok(rest),
                length => rest.get(..length).ok_or_else(cut),
            }
        };
        if let [only] = place.extents.as_slice() {
            return Ok(Cow::Borrowed(extent(only)?));
        }
        let mut whole = Vec::new();
        for part in &place.extents {
            whole.extend_from_slice(extent(part)?);
            if whole.len() > self.file.len() {
                return Err(Fault::malformed("an item is larger than the file"));
            }
        }
        Ok(Cow::Owned(whole))
    }

    fn entry(&mut self, id: u32) -> Result<&mut Item<'a>, Fault> {
        if self.items.len() >= MOST && !self.items.contains_key(&id) {
            return Err(too_many("items"));
        }
        Ok(self.items.entry(id).or_default())
    }

    fn read_items(&mut self, found: Box<'a>) -> Result<(), Fault> {
        let mut reader = found.reader();
        let (version, _) = reader.version()?;
        reader.number(if version == 0 { 2 } else { 4 })?; // the count, which the boxes tell too
        for entry in boxes(reader.rest, *b"iinf") {
            let entry = entry?;
            if &entry.kind != b"infe" {
                continue;
            }
            let mut reader = entry.reader();
            let (version, _) = reader.version()?;
            if version < 2 {
                continue; // before HEIF: an item without a type
            }
            let id = reader.number(if version == 2 { 2 } else { 4 })? as u32;
            let protected = reader.u16()?;
            let kind = reader.code()?;
            let _name = reader.text();
            let content_type = if &kind == b"mime" { reader.text() } else { &[] };
            let item = self.entry(id)?;
            // An item that is encrypted is none to us.
            item.kind = if protected == 0 { kind } else { *b"encr" };
            item.content_type = content_type;
        }
        Ok(())
    }

    fn read_places(&mut self, found: Box<'a>) -> Result<(), Fault> {
        let mut reader = found.reader();
        let (version, _) = reader.version()?;
        if version > 2 {
            return Err(Fault::unsupported("an `iloc` box of a later version"));
        }
        let sizes = reader.u16()?;
        let size = |shift: u16| usize::from(sizes >> shift & 15);
        let (offset_size, length_size, base_size) = (size(12), size(8), size(4));
        let index_size = if version == 0 { 0 } else { size(0) };
        if [offset_size, length_size, base_size, index_size].iter().any(|size| !matches!(size, 0 | 4 | 8)) {
            return Err(Fault::malformed("its `iloc` box has numbers of an odd size"));
        }
        let id_size = if version < 2 { 2 } else { 4 };
        let count = reader.number(id_size)?;
        let mut extents_left = MOST;
        for _ in 0..count {
            let id = reader.number(id_size)? as u32;
            let method = if version == 0 { 0 } else { reader.u16()? as u8 & 15 };
            let elsewhere = reader.u16()? != 0;
            let base = reader.number(base_size)?;
            let extent_count = usize::from(reader.u16()?);
            extents_left = extents_left.checked_sub(extent_count).ok_or_else(|| too_many("extents"))?;
            let mut extents = Vec::new();
            for _ in 0..extent_count {
                reader.number(index_size)?;
                let start = reader.number(offset_size)?;
                let length = reader.number(length_size)?;
                let start = base
                    .checked_add(start)
                    .ok_or_else(|| Fault::malformed("an item lies outside the file"))?;
                extents.push((start, length));
            }
            self.entry(id)?.place = Some(Place { method, elsewhere, extents });
        }
        Ok(())
    }

    fn read_references(&mut self, found: Box<'a>) -> Result<(), Fault> {
        let mut reader = found.reader();
        let (version, _) = reader.version()?;
        let id_size = if version == 0 { 2 } else { 4 };
        let mut left = MOST;
        for entry in boxes(reader.rest, *b"iref") {
            let entry = entry?;
            let mut reader = entry.reader();
            let from = reader.number(id_size)? as u32;
            let count = usize::from(reader.u16()?);
            left = left.checked_sub(count + 1).ok_or_else(|| too_many("references"))?;
            let to = (0..count).map(|_| Ok(reader.number(id_size)? as u32)).collect::<Result<_, Fault>>()?;
            self.references.push(Reference { kind: entry.kind, from, to });
        }
        Ok(())
    }

    fn read_properties(&mut self, found: Box<'a>) -> Result<(), Fault> {
        for part in boxes(found.content, *b"iprp") {
            let part = part?;
            match &part.kind {
                b"ipco" => {
                    for property in boxes(part.content, *b"ipco") {
                        if self.properties.len() >= MOST {
                            return Err(too_many("properties"));
                        }
                        self.properties.push(property?);
                    }
                }
                b"ipma" => self.read_associations(part)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_associations(&mut self, found: Box<'a>) -> Result<(), Fault> {
        let mut reader: Reader<'a> = found.reader();
        let (version, flags) = reader.version()?;
        let wide = flags & 1 != 0;
        let mut left = 4 * MOST;
        for _ in 0..reader.u32()? {
            let id = reader.number(if version == 0 { 2 } else { 4 })? as u32;
            let count = usize::from(reader.u8()?);
            left = left.checked_sub(count + 1).ok_or_else(|| too_many("properties of items"))?;
            for _ in 0..count {
                let word = reader.number(if wide { 2 } else { 1 })? as usize;
                let top = if wide { 15 } else { 7 };
                let index = word & ((1 << top) - 1);
                // Zero stands for no property at all.
                if let Some(index) = index.checked_sub(1) {
                    let properties = &mut self.entry(id)?.properties;
                    if properties.len() >= MOST_PROPERTIES {
                        return Err(Fault::unsupported("an item of very many properties"));
                    }
                    properties.push((index, word >> top == 1));
                }
            }
        }
        Ok(())
    }
}

fn too_many(what: &str) -> Fault {
    Fault::unsupported(format!("more than {MOST} {what}"))
}
