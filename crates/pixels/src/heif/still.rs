//! The primary picture of a file: one coded picture or a grid of them, its
//! alpha, and what is done to it before it is seen.
//!
//! Thumbnails, depth maps, gain maps and the other pictures of a burst are left
//! alone; so are the frames of a sequence, whose first is the primary picture.

use super::boxes::{Box, Code, shown};
use super::cicp::Cicp;
use super::container::{Container, Item};
use super::hevc;
use super::{Fault, av1};
use crate::geometry::{Orientation, Size};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How the samples of a picture are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coded {
    Av1,
    Hevc,
}

/// What a decoder must know before it sees the samples.
#[derive(Debug, Clone)]
pub(crate) enum Configuration<'a> {
    Av1(av1::Sequence),
    Hevc(hevc::Configuration<'a>),
}

/// One picture of samples: the colours, or the alpha.
#[derive(Debug, Clone)]
pub(crate) struct Layer<'a> {
    /// Of the assembled picture.
    pub(crate) size: Size,
    /// Of each tile.
    pub(crate) tile: Size,
    /// Tiles in a row; one where there is no grid.
    pub(crate) columns: u32,
    /// The coded tiles, row by row.
    pub(crate) tiles: Vec<Cow<'a, [u8]>>,
    /// That of the first tile.
    pub(crate) configuration: Configuration<'a>,
    /// As a property says it; `None` leaves it to the bit stream.
    pub(crate) nclx: Option<Cicp>,
}

impl Layer<'_> {
    /// Bits of a sample.
    pub(crate) fn depth(&self) -> u8 {
        match &self.configuration {
            Configuration::Av1(sequence) => sequence.depth,
            Configuration::Hevc(configuration) => configuration.sequence.depth,
        }
    }

    pub(crate) fn is_monochrome(&self) -> bool {
        match &self.configuration {
            Configuration::Av1(sequence) => sequence.monochrome,
            Configuration::Hevc(configuration) => configuration.sequence.monochrome,
        }
    }

    /// Samples of all tiles, which may stand out over the picture.
    pub(crate) fn coded_pixels(&self) -> u64 {
        self.tile.pixels() * self.tiles.len() as u64
    }
}

/// The primary picture.
#[derive(Debug, Clone)]
pub(crate) struct Still<'a> {
    pub(crate) coded: Coded,
    pub(crate) colour: Layer<'a>,
    pub(crate) alpha: Option<Layer<'a>>,
    /// The colours have been multiplied by the alpha.
    pub(crate) premultiplied: bool,
    /// The part that is shown: x, y and size.
    pub(crate) crop: (u32, u32, Size),
    pub(crate) orientation: Orientation,
    pub(crate) icc: Option<&'a [u8]>,
    /// A TIFF structure.
    pub(crate) exif: Option<&'a [u8]>,
    pub(crate) xmp: Option<Cow<'a, [u8]>>,
}

impl<'a> Still<'a> {
    /// Resolves the primary item.
    pub(crate) fn of(container: &Container<'a>) -> Result<Self, Fault> {
        let mut id = container.primary;
        let mut item = container.item(id)?;
        let mut derived = vec![(id, item)];
        while &item.kind == b"iden" {
            // Deeper than this is nobody's picture, and perhaps a ring.
            if derived.len() > 4 {
                return Err(Fault::unsupported("a picture derived many times over"));
            }
            let &[source] = container.targets(id, *b"dimg") else {
                return Err(Fault::malformed("a derived picture has not one source"));
            };
            id = source;
            item = container.item(id)?;
            derived.push((id, item));
        }
        let (coded, colour) = layer(container, id, item)?;
        let mut shown_part =
            Shown { size: colour.size, crop: (0, 0, colour.size), orientation: Orientation::UPRIGHT };
        let mut icc = None;
        for (_, item) in derived.iter().rev() {
            for (property, essential) in container.properties(item) {
                if &property.kind == b"colr" && icc.is_none() {
                    icc = profile(property)?;
                }
                shown_part.apply(property)?;
                understood(property, essential)?;
            }
        }
        let (alpha_id, alpha) = alpha(container, &derived, coded, &colour)?.unzip();
        let premultiplied = alpha_id.is_some_and(|alpha| {
            derived.iter().any(|(id, _)| container.targets(*id, *b"prem").contains(&alpha))
        });
        let described: BTreeSet<u32> = derived.iter().map(|(id, _)| *id).collect();
        let (exif, xmp) = descriptions(container, &described);
        Ok(Self {
            coded,
            colour,
            alpha,
            premultiplied,
            crop: shown_part.crop,
            orientation: shown_part.orientation,
            icc,
            exif,
            xmp,
        })
    }
}

/// The samples that `item` stands for.
fn layer<'a>(container: &Container<'a>, id: u32, item: &Item<'a>) -> Result<(Coded, Layer<'a>), Fault> {
    let (grid, ids) = match &item.kind {
        b"grid" => {
            let grid = Grid::read(&container.data(item)?)?;
            let tiles = container.targets(id, *b"dimg").to_vec();
            if tiles.len() as u32 != grid.rows * grid.columns {
                return Err(Fault::malformed(format!(
                    "its grid of {} by {} has {} tiles",
                    grid.columns,
                    grid.rows,
                    tiles.len()
                )));
            }
            (Some(grid), tiles)
        }
        b"iovl" => return Err(Fault::unsupported("an overlay of several pictures")),
        _ => (None, vec![id]),
    };
    let mut tiles = Vec::with_capacity(ids.len());
    let mut bytes = 0;
    let mut first: Option<(Coded, Size, Configuration<'a>, Option<Cicp>)> = None;
    for id in ids {
        let tile = container.item(id)?;
        let coded = match &tile.kind {
            b"av01" => Coded::Av1,
            b"hvc1" => Coded::Hevc,
            b"encr" => return Err(Fault::unsupported("it is encrypted")),
            other => return Err(Fault::unsupported(format!("pictures coded as {:?}", shown(*other)))),
        };
        let data = container.data(tile)?;
        // Else few bytes could be read, and joined, any number of times.
        bytes += data.len();
        if bytes > container.file_length() {
            return Err(Fault::unsupported("tiles that share their bytes"));
        }
        let (size, configuration, nclx) = described(container, tile, coded, &data, grid.is_some())?;
        match &first {
            None => first = Some((coded, size, configuration, nclx)),
            Some((its_coded, its_size, its_configuration, _)) => {
                if (*its_coded, *its_size) != (coded, size) || !alike(its_configuration, &configuration) {
                    return Err(Fault::malformed("the tiles of its grid differ in kind"));
                }
            }
        }
        tiles.push(data);
    }
    let (coded, tile, configuration, of_tile) = first.ok_or_else(|| Fault::malformed("it has no tiles"))?;
    let mut nclx = of_tile;
    let Some(grid) = grid else {
        return Ok((coded, Layer { size: tile, tile, columns: 1, tiles, configuration, nclx }));
    };
    for (property, _) in container.properties(item) {
        match &property.kind {
            b"ispe" if extent(property)? != grid.size => {
                return Err(Fault::malformed("its grid contradicts its size"));
            }
            b"colr" => nclx = code_points(property)?.or(nclx),
            _ => {}
        }
    }
    // Each tile shows something of itself, and together they cover the picture.
    let fits = |tile: u32, count: u32, whole: u32| {
        let covered = u64::from(tile) * u64::from(count);
        covered >= u64::from(whole) && covered - u64::from(tile) < u64::from(whole)
    };
    if !fits(tile.width, grid.columns, grid.size.width) || !fits(tile.height, grid.rows, grid.size.height) {
        return Err(Fault::malformed("the tiles of its grid do not cover it"));
    }
    Ok((coded, Layer { size: grid.size, tile, columns: grid.columns, tiles, configuration, nclx }))
}

/// What its properties and its bit stream say of a coded item.
fn described<'a>(
    container: &Container<'a>,
    item: &Item<'a>,
    coded: Coded,
    data: &[u8],
    in_grid: bool,
) -> Result<(Size, Configuration<'a>, Option<Cicp>), Fault> {
    let (mut size, mut nclx, mut hvcc) = (None, None, None);
    for (property, essential) in container.properties(item) {
        match &property.kind {
            b"ispe" => size = Some(extent(property)?),
            b"colr" => nclx = nclx.or(code_points(property)?),
            b"hvcC" => hvcc = Some(property),
            b"irot" | b"imir" | b"clap" if in_grid => {
                return Err(Fault::unsupported("tiles that are turned one by one"));
            }
            _ => {}
        }
        understood(property, essential)?;
    }
    let size = size.ok_or_else(|| Fault::malformed("a picture does not say its size"))?;
    let configuration = match coded {
        Coded::Av1 => Configuration::Av1(
            av1::Sequence::read(data)
                .ok_or_else(|| Fault::malformed("its AV1 data has no sequence header"))?,
        ),
        Coded::Hevc => {
            let property = hvcc.ok_or_else(|| Fault::malformed("its HEVC data has no configuration"))?;
            Configuration::Hevc(hevc::Configuration::read(property.content)?)
        }
    };
    // Decoders allocate for what the bit stream says: it may not say more.
    let promised = match &configuration {
        Configuration::Av1(sequence) => (sequence.width, sequence.height),
        Configuration::Hevc(configuration) => configuration.sequence.shown(),
    };
    if promised != (size.width, size.height) {
        return Err(Fault::malformed(format!(
            "it says {} × {} pixels, and its bit stream {} × {}",
            size.width, size.height, promised.0, promised.1
        )));
    }
    Ok((size, configuration, nclx))
}

/// Whether two tiles' samples can lie in one picture.
fn alike(a: &Configuration<'_>, b: &Configuration<'_>) -> bool {
    match (a, b) {
        (Configuration::Av1(a), Configuration::Av1(b)) => {
            (a.depth, a.monochrome, a.subsampled, a.cicp) == (b.depth, b.monochrome, b.subsampled, b.cicp)
        }
        (Configuration::Hevc(a), Configuration::Hevc(b)) => a == b,
        _ => false,
    }
}

/// The alpha of one of `derived`, and its item.
fn alpha<'a>(
    container: &Container<'a>,
    derived: &[(u32, &Item<'a>)],
    coded: Coded,
    colour: &Layer<'a>,
) -> Result<Option<(u32, Layer<'a>)>, Fault> {
    let pictures: BTreeSet<u32> = derived.iter().map(|(id, _)| *id).collect();
    let tiles: BTreeSet<u32> = derived
        .iter()
        .filter(|(_, item)| &item.kind == b"grid")
        .flat_map(|(id, _)| container.targets(*id, *b"dimg"))
        .copied()
        .collect();
    for reference in container.references.iter().filter(|reference| &reference.kind == b"auxl") {
        let of_picture = reference.to.iter().any(|to| pictures.contains(to));
        let of_tile = reference.to.iter().any(|to| tiles.contains(to));
        if !of_picture && !of_tile {
            continue;
        }
        let item = container.item(reference.from)?;
        if !container.properties(item).any(|(property, _)| is_alpha(property)) {
            continue;
        }
        if !of_picture {
            return Err(Fault::unsupported("a grid whose tiles have alpha one by one"));
        }
        let (its_coded, layer) = layer(container, reference.from, item)?;
        if its_coded != coded {
            return Err(Fault::unsupported("colour and alpha in different codecs"));
        }
        if layer.size != colour.size {
            return Err(Fault::unsupported("alpha of another size than its picture"));
        }
        return Ok(Some((reference.from, layer)));
    }
    Ok(None)
}

fn is_alpha(property: Box<'_>) -> bool {
    if &property.kind != b"auxC" {
        return false;
    }
    let mut reader = property.reader();
    reader.version().is_ok()
        && matches!(
            reader.text(),
            b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha" | b"urn:mpeg:hevc:2015:auxid:1"
        )
}

/// EXIF and XMP that describe one of `pictures`. What cannot be read is as if
/// it were absent.
fn descriptions<'a>(
    container: &Container<'a>,
    pictures: &BTreeSet<u32>,
) -> (Option<&'a [u8]>, Option<Cow<'a, [u8]>>) {
    let (mut exif, mut xmp, mut looked) = (None, None, false);
    for reference in container.references.iter().filter(|reference| &reference.kind == b"cdsc") {
        if !reference.to.iter().any(|to| pictures.contains(to)) {
            continue;
        }
        let Ok(item) = container.item(reference.from) else { continue };
        // Bytes that lie in pieces are copied together: only those of one item.
        match (&item.kind, item.content_type) {
            (b"Exif", _) if exif.is_none() && item.lies_together() => {
                // How far behind its own four bytes the TIFF header lies.
                if let Ok(Cow::Borrowed(data)) = container.data(item)
                    && let Some((offset, rest)) = data.split_first_chunk::<4>()
                {
                    exif = rest.get(u32::from_be_bytes(*offset) as usize..);
                }
            }
            (b"mime", b"application/rdf+xml") if !looked => {
                looked = true;
                xmp = container.data(item).ok();
            }
            _ => {}
        }
    }
    (exif, xmp)
}

/// A grid's own data (ISO/IEC 23008-12, 6.6.2.3).
struct Grid {
    rows: u32,
    columns: u32,
    size: Size,
}

impl Grid {
    fn read(data: &[u8]) -> Result<Self, Fault> {
        let mut reader = super::boxes::Reader::new(data, *b"grid");
        let _version = reader.u8()?;
        let side = if reader.u8()? & 1 == 0 { 2 } else { 4 };
        let rows = u32::from(reader.u8()?) + 1;
        let columns = u32::from(reader.u8()?) + 1;
        let size = Size::new(reader.number(side)? as u32, reader.number(side)? as u32);
        if size.width == 0 || size.height == 0 {
            return Err(Fault::malformed("its grid has no pixels"));
        }
        Ok(Self { rows, columns, size })
    }
}

/// What of a picture is shown, and how, as its properties are gone through.
struct Shown {
    size: Size,
    crop: (u32, u32, Size),
    orientation: Orientation,
}

impl Shown {
    fn apply(&mut self, property: Box<'_>) -> Result<(), Fault> {
        let mut reader = property.reader();
        match &property.kind {
            b"irot" => {
                for _ in 0..reader.u8()? & 3 {
                    self.orientation = anticlockwise(self.orientation);
                }
            }
            b"imir" => {
                // 0 exchanges top and bottom, 1 left and right.
                if reader.u8()? & 1 == 0 {
                    self.orientation.flip_y ^= true;
                } else {
                    self.orientation.flip_x ^= true;
                }
            }
            b"clap" => {
                if self.orientation != Orientation::UPRIGHT || self.crop.2 != self.size {
                    return Err(Fault::unsupported("a picture that is cropped after it is turned"));
                }
                let mut words = [0_u32; 8];
                for word in &mut words {
                    *word = reader.u32()?;
                }
                let [wn, wd, hn, hd, xn, xd, yn, yd] = words;
                let (x, width) = aperture(self.size.width, (wn, wd), (xn, xd))?;
                let (y, height) = aperture(self.size.height, (hn, hd), (yn, yd))?;
                self.crop = (x, y, Size::new(width, height));
            }
            _ => {}
        }
        Ok(())
    }
}

/// `orientation`, then a quarter turn against the clock.
fn anticlockwise(orientation: Orientation) -> Orientation {
    let Orientation { transpose, flip_x, flip_y } = orientation;
    // Mirrors trade places with a transposition that follows them.
    Orientation { transpose: !transpose, flip_x: flip_y, flip_y: !flip_x }
}

/// Start and length of a clean aperture along one side: fractions of pixels,
/// the offset being that of the centre (ISO/IEC 14496-12, 12.1.4).
fn aperture(side: u32, length: (u32, u32), offset: (u32, u32)) -> Result<(u32, u32), Fault> {
    let broken = || Fault::malformed("its crop lies outside the picture");
    if length.1 == 0 || offset.1 == 0 || !length.0.is_multiple_of(length.1) {
        return Err(Fault::unsupported("a crop between pixels"));
    }
    let length = length.0 / length.1;
    // start = offset + (side − length) / 2, over a common denominator.
    let denominator = 2 * i64::from(offset.1);
    let twice = 2 * i64::from(offset.0 as i32) + (i64::from(side) - i64::from(length)) * i64::from(offset.1);
    if twice < 0 || length == 0 {
        return Err(broken());
    }
    // Half a pixel is cut to the left, as other readers do.
    let start = twice / denominator;
    if start + i64::from(length) > i64::from(side) {
        return Err(broken());
    }
    Ok((start as u32, length))
}

/// `ispe`.
fn extent(property: Box<'_>) -> Result<Size, Fault> {
    let mut reader = property.reader();
    reader.version()?;
    let size = Size::new(reader.u32()?, reader.u32()?);
    if size.width == 0 || size.height == 0 {
        return Err(Fault::malformed("a picture has no pixels"));
    }
    Ok(size)
}

/// The code points of a `colr`, where it has some.
fn code_points(property: Box<'_>) -> Result<Option<Cicp>, Fault> {
    let mut reader = property.reader();
    if &reader.code()? != b"nclx" {
        return Ok(None);
    }
    Ok(Some(Cicp {
        primaries: reader.u16()?,
        transfer: reader.u16()?,
        matrix: reader.u16()?,
        full_range: reader.u8()? & 0x80 != 0,
    }))
}

/// The profile of a `colr`, where it has one.
fn profile(property: Box<'_>) -> Result<Option<&[u8]>, Fault> {
    let mut reader = property.reader();
    Ok(matches!(&reader.code()?, b"prof" | b"rICC").then_some(reader.rest))
}

/// Refuses a property that must be understood, and is not.
fn understood(property: Box<'_>, essential: bool) -> Result<(), Fault> {
    let known: &[Code] = &[
        *b"ispe", *b"pixi", *b"colr", *b"av1C", *b"hvcC", *b"irot", *b"imir", *b"clap", *b"auxC", *b"pasp",
        *b"clli", *b"mdcv", *b"amve", *b"cclv",
    ];
    match &property.kind {
        // All layers are decoded, and the last is shown.
        b"lsel" if property.content == [0xff, 0xff] => Ok(()),
        b"a1op" if property.content == [0] => Ok(()),
        kind if essential && !known.contains(kind) => {
            Err(Fault::unsupported(format!("the property {:?}", shown(*kind))))
        }
        _ => Ok(()),
    }
}
