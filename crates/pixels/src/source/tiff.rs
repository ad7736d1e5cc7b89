//! The header of a TIFF (TIFF 6.0; BigTIFF): the directories, walked without
//! decompressing anything. Owns which page is the picture and how its strips or
//! tiles lie; refuses what cannot be decoded, and cameras' raw files, which are
//! TIFFs inside and whose first page is a thumbnail.

use super::model::{Kind, Source};
use super::shared::tiled_limit;
use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::geometry::{Orientation, Size};
use crate::{Error, Limits};
use directory::{Directory, File};
use std::borrow::Cow;

pub(crate) mod directory;
pub(super) mod header;

pub(crate) use header::{Alpha, Compression, Photometric, TiffHeader};

/// The longest JPEG tables, which are read again for each strip or tile. Four of
/// both kinds take less than 3 KiB.
const MOST_TABLES: usize = 1 << 16;

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "TIFF", detail: detail.into() }
}

fn unsupported(feature: impl Into<String>) -> Error {
    Error::Unsupported { format: "TIFF", feature: feature.into() }
}

/// More pages than this are not looked at for the first that is no thumbnail.
const PAGES: usize = 64;

/// Most samples of a pixel: colours, alpha and a few that are ignored.
const SAMPLES: u32 = 16;

pub(super) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, Error> {
    let file = File::open(bytes).ok_or_else(|| malformed("it ends before its header is complete"))?;
    let first = file.first().ok_or_else(|| malformed("its first directory is cut off"))?;
    let pages = file.chain(first, PAGES).ok_or_else(|| malformed("it is cut off within its pages"))?;
    refuse_raw(&file, &pages)?;
    let page =
        *pages.iter().find(|page| page.number(NEW_SUBFILE_TYPE).unwrap_or(0) & 1 == 0).unwrap_or(&first);
    let size = Size::new(needed(&page, IMAGE_WIDTH, "width")?, needed(&page, IMAGE_LENGTH, "height")?);
    if size.width == 0 || size.height == 0 {
        return Err(malformed(format!("its size is {} x {} pixels", size.width, size.height)));
    }
    // The strips are counted next, and their number follows from the size.
    at_most(Limit::Pixels, "the picture", size.pixels(), limits.pixels, "pixels")?;
    let header = header(&file, &page, size)?;
    if header.tiled {
        // Tiles are unpacked whole, however little of them is the picture's.
        let (across, down) = header.grid(size);
        let tiles = (across * down).saturating_mul(header.chunk.pixels());
        let most = tiled_limit(limits.pixels, size, header.chunk);
        at_most(Limit::Pixels, "the picture with all of its tiles", tiles, most, "pixels")?;
    }
    if let Some(tag) = page.cut_off(&[ICC_PROFILE]) {
        return Err(malformed(format!("it is cut off: field {tag} lies behind its end")));
    }
    let colour =
        page.bytes(ICC_PROFILE).map_or(ColourSpace::Srgb, |profile| ColourSpace::Icc(Cow::Borrowed(profile)));
    Ok(Source {
        bytes,
        stored: size,
        orientation: page
            .number(ORIENTATION)
            .map_or(Orientation::UPRIGHT, |v| Orientation::from_exif(u16::try_from(v).unwrap_or(1))),
        frames: 1,
        depth: header.depth(),
        layout: header.layout(),
        colour,
        exif: None,
        xmp: page.bytes(XMP).map(Cow::Borrowed),
        kind: Kind::Tiff(header),
    })
}

const NEW_SUBFILE_TYPE: u16 = 254;
const IMAGE_WIDTH: u16 = 256;
const IMAGE_LENGTH: u16 = 257;
const BITS_PER_SAMPLE: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
const ORIENTATION: u16 = 274;
const SAMPLES_PER_PIXEL: u16 = 277;
const ROWS_PER_STRIP: u16 = 278;
const STRIP_BYTE_COUNTS: u16 = 279;
const PLANAR_CONFIGURATION: u16 = 284;
const PREDICTOR: u16 = 317;
const COLOR_MAP: u16 = 320;
const TILE_WIDTH: u16 = 322;
const TILE_LENGTH: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_BYTE_COUNTS: u16 = 325;
const SUB_IFDS: u16 = 330;
const INK_SET: u16 = 332;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;
const JPEG_TABLES: u16 = 347;
const XMP: u16 = 700;
const ICC_PROFILE: u16 = 34_675;
const DNG_VERSION: u16 = 50_706;

/// Refuses what cameras write: DNG by its version, CR2 by its magic, the others
/// (NEF, ARW, PEF, SRW …) by pages of unfinished colour or of compressions that
/// only cameras use.
fn refuse_raw(file: &File<'_>, pages: &[Directory<'_>]) -> Result<(), Error> {
    let raw = |what: &str| Err(unsupported(format!("a camera's raw file ({what})")));
    if pages.iter().any(|page| page.field(DNG_VERSION).is_some()) {
        return raw("DNG");
    }
    if file.bytes.get(8..10) == Some(b"CR") {
        return raw("CR2");
    }
    let children = pages.iter().filter_map(|page| page.field(SUB_IFDS)).flat_map(|values| {
        let offsets: Vec<u64> = values.iter().take(PAGES).collect();
        offsets.into_iter().filter_map(|at| file.directory(at))
    });
    for page in pages.iter().copied().chain(children) {
        // A colour filter array, and what was interpolated of one.
        if matches!(page.number(PHOTOMETRIC), Some(32_803 | 34_892)) {
            return raw("a page of sensor data");
        }
        // Sony, Kodak, Samsung, Nikon, Pentax; JPEG in DNG.
        if matches!(
            page.number(COMPRESSION),
            Some(32_767 | 32_770 | 32_867 | 34_713 | 34_892 | 65_000 | 65_535)
        ) {
            return raw("a camera's own compression");
        }
    }
    Ok(())
}

fn needed(page: &Directory<'_>, tag: u16, what: &str) -> Result<u32, Error> {
    page.number(tag)
        .and_then(|v| u32::try_from(v).ok())
        .ok_or_else(|| malformed(format!("it does not say its {what}")))
}

fn header<'a>(file: &File<'a>, page: &Directory<'a>, size: Size) -> Result<TiffHeader<'a>, Error> {
    let samples = page.number(SAMPLES_PER_PIXEL).unwrap_or(1);
    if samples == 0 || samples > SAMPLES.into() {
        return Err(unsupported(format!("{samples} samples a pixel")));
    }
    let samples = samples as u16;
    let bits = bits(page, samples)?;
    let compression = compression(page)?;
    let photometric = photometric(page, compression, samples)?;
    let predictor = page.number(PREDICTOR).unwrap_or(1);
    let differenced = match predictor {
        2 if matches!(compression, Compression::Lzw | Compression::Deflate) => {
            if !matches!(bits, 8 | 16) {
                return Err(unsupported(format!("differences of {bits} bits")));
            }
            true
        }
        3 => return Err(unsupported("floating-point differences")),
        _ => false,
    };
    let planar = match page.number(PLANAR_CONFIGURATION).unwrap_or(1) {
        // One channel lies the same either way.
        2 => samples > 1,
        1 => false,
        other => return Err(malformed(format!("its planar configuration is {other}"))),
    };
    if compression == Compression::Jpeg && (planar || bits != 8) {
        return Err(unsupported("JPEG of separate channels or of other than 8 bits"));
    }
    let tiled = page.field(TILE_WIDTH).is_some();
    let chunk = if tiled {
        let tile =
            Size::new(needed(page, TILE_WIDTH, "tile width")?, needed(page, TILE_LENGTH, "tile height")?);
        // TIFF 6.0, section 15; it also keeps the number of tiles in bounds.
        if tile.width == 0
            || tile.height == 0
            || !tile.width.is_multiple_of(16)
            || !tile.height.is_multiple_of(16)
        {
            return Err(malformed("the sides of its tiles are no multiples of 16"));
        }
        tile
    } else {
        let rows = page.number(ROWS_PER_STRIP).unwrap_or(u64::MAX).min(size.height.into());
        if rows == 0 {
            return Err(malformed("its strips have no rows"));
        }
        Size::new(size.width, rows as u32)
    };
    let [offsets, counts] =
        if tiled { [TILE_OFFSETS, TILE_BYTE_COUNTS] } else { [STRIP_OFFSETS, STRIP_BYTE_COUNTS] };
    let offsets = page.field(offsets).ok_or_else(|| malformed("it does not say where its pixels are"))?;
    let header = TiffHeader {
        bits,
        samples,
        photometric,
        alpha: alpha(page, photometric, samples),
        compression,
        differenced,
        planar,
        reversed: page.number(FILL_ORDER) == Some(2),
        little: file.little,
        chunk,
        tiled,
        offsets,
        counts: page.field(counts),
        palette: page.field(COLOR_MAP),
        jpeg_tables: page.bytes(JPEG_TABLES),
    };
    if header.jpeg_tables.is_some_and(|tables| tables.len() > MOST_TABLES) {
        return Err(unsupported(format!("JPEG tables of more than {MOST_TABLES} bytes")));
    }
    chunks_are_there(file, &header, size)?;
    Ok(header)
}

fn bits(page: &Directory<'_>, samples: u16) -> Result<u16, Error> {
    let stated: Vec<u64> =
        page.field(BITS_PER_SAMPLE).map_or_else(|| vec![1], |v| v.iter().take(samples.into()).collect());
    let first = stated.first().copied().unwrap_or(1);
    if stated.iter().any(|&b| b != first) {
        return Err(unsupported("channels of different depths"));
    }
    let formats = page.field(SAMPLE_FORMAT).map(|v| v.iter().take(samples.into()).collect::<Vec<_>>());
    // 1 and 4 are unsigned integers and "undefined", which libtiff reads as the same.
    match formats.unwrap_or_default().iter().find(|f| !matches!(f, 1 | 4)) {
        Some(3) => return Err(unsupported(format!("floating-point samples of {first} bits"))),
        Some(_) => return Err(unsupported("signed or complex samples")),
        None => {}
    }
    if !(1..=16).contains(&first) {
        return Err(unsupported(format!("samples of {first} bits")));
    }
    Ok(first as u16)
}

fn compression(page: &Directory<'_>) -> Result<Compression, Error> {
    match page.number(COMPRESSION).unwrap_or(1) {
        1 => Ok(Compression::None),
        5 => Ok(Compression::Lzw),
        7 => Ok(Compression::Jpeg),
        8 | 32_946 => Ok(Compression::Deflate),
        32_773 => Ok(Compression::PackBits),
        2..=4 => Err(unsupported("fax compression (CCITT)")),
        6 => Err(unsupported("JPEG compression of the old kind")),
        34_925 => Err(unsupported("LZMA compression")),
        50_000 => Err(unsupported("Zstandard compression")),
        50_001 => Err(unsupported("WebP compression")),
        33_003 | 33_004 | 33_005 | 34_712 => Err(unsupported("JPEG 2000 compression")),
        other => Err(unsupported(format!("compression {other}"))),
    }
}

fn photometric(page: &Directory<'_>, compression: Compression, samples: u16) -> Result<Photometric, Error> {
    let stated =
        page.number(PHOTOMETRIC).ok_or_else(|| malformed("it does not say what its samples mean"))?;
    let photometric = match stated {
        0 => Photometric::WhiteIsZero,
        1 => Photometric::Grey,
        2 => Photometric::Rgb,
        3 => Photometric::Palette,
        5 if page.number(INK_SET).unwrap_or(1) == 1 => Photometric::Cmyk,
        5 => return Err(unsupported("inks other than CMYK")),
        6 if compression == Compression::Jpeg => Photometric::YCbCr,
        6 => return Err(unsupported("YCbCr samples outside JPEG")),
        8..=10 => return Err(unsupported("CIE Lab colour")),
        32_844 | 32_845 => return Err(unsupported("LogLuv colour")),
        other => return Err(unsupported(format!("photometric interpretation {other}"))),
    };
    if samples < photometric.channels() {
        return Err(malformed(format!("{samples} samples a pixel are too few for its colours")));
    }
    if compression == Compression::Jpeg
        && (samples != photometric.channels() || photometric == Photometric::Palette)
    {
        return Err(unsupported("JPEG compression with alpha or a palette"));
    }
    Ok(photometric)
}

/// Alpha is the first sample behind the colours, where the file says so. CMYK
/// has none here: the conversion to RGB would have to know it.
fn alpha(page: &Directory<'_>, photometric: Photometric, samples: u16) -> Alpha {
    if samples == photometric.channels() || matches!(photometric, Photometric::Cmyk | Photometric::Palette) {
        return Alpha::None;
    }
    match page.number(EXTRA_SAMPLES) {
        Some(1) => Alpha::Associated,
        Some(2) => Alpha::Straight,
        _ => Alpha::None,
    }
}

/// Holds the strips or tiles against the file: as many as the size needs, and
/// none that ends behind it. Their bytes may not be many times the file's: that
/// would be one strip under many names, and hours of work.
fn chunks_are_there(file: &File<'_>, header: &TiffHeader<'_>, size: Size) -> Result<(), Error> {
    let (across, down) = header.grid(size);
    let planes = if header.planar { u64::from(header.samples) } else { 1 };
    let needed = across * down * planes;
    let stated = header.offsets.len().min(header.counts.map_or(1, |c| c.len()));
    if stated < needed {
        return Err(malformed(format!(
            "it has {stated} of the {needed} strips or tiles that its size needs"
        )));
    }
    let length = file.bytes.len() as u64;
    let mut sum = 0_u64;
    for index in 0..needed {
        let (start, count) = header.extent(index, length);
        if start.checked_add(count).is_none_or(|end| end > length) {
            return Err(malformed("it is cut off: a strip or tile lies behind its end"));
        }
        sum += count;
        if sum > 2 * length {
            return Err(malformed("its strips or tiles overlap"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A little-endian page of one strip; `fields` are tag and value.
    pub(crate) fn page(fields: &[(u16, u32)], data: &[u8]) -> Vec<u8> {
        let mut fields = fields.to_vec();
        let at = 8 + 2 + 12 * (fields.len() as u32 + 2) + 4;
        fields.extend([(STRIP_OFFSETS, at), (STRIP_BYTE_COUNTS, data.len() as u32)]);
        fields.sort_unstable();
        let mut out = b"II*\0\x08\0\0\0".to_vec();
        out.extend((fields.len() as u16).to_le_bytes());
        for (tag, value) in fields {
            out.extend(tag.to_le_bytes());
            out.extend(4_u16.to_le_bytes());
            out.extend(1_u32.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        out.extend([0; 4]);
        out.extend(data);
        out
    }

    const GREY: [(u16, u32); 4] =
        [(IMAGE_WIDTH, 2), (IMAGE_LENGTH, 2), (BITS_PER_SAMPLE, 8), (PHOTOMETRIC, 1)];

    #[test]
    fn what_cannot_be_decoded_is_refused_by_its_header() {
        let with = |tag: u16, value: u32| {
            let mut fields: Vec<_> = GREY.into_iter().filter(|(t, _)| *t != tag).collect();
            fields.push((tag, value));
            page(&fields, &[0; 4])
        };
        let cases = [
            (COMPRESSION, 50_000, "Zstandard"),
            (COMPRESSION, 4, "fax"),
            (COMPRESSION, 34_713, "raw"),
            (SAMPLE_FORMAT, 3, "floating-point"),
            (BITS_PER_SAMPLE, 32, "32 bits"),
            (PHOTOMETRIC, 8, "Lab"),
            (PHOTOMETRIC, 6, "YCbCr"),
            (PHOTOMETRIC, 32_803, "raw"),
            (DNG_VERSION, 0x0401, "DNG"),
            (SAMPLES_PER_PIXEL, 99, "99 samples"),
        ];
        for (tag, value, words) in cases {
            match read(&with(tag, value), &Limits::default()) {
                Err(Error::Unsupported { feature, .. }) => assert!(feature.contains(words), "{feature}"),
                other => panic!("{tag} = {value}: {:?}", other.map(|s| s.stored)),
            }
        }
        assert!(read(&page(&GREY, &[0; 4]), &Limits::default()).is_ok());
    }

    /// Every strip and tile is put together with them.
    #[test]
    fn jpeg_tables_of_more_than_tables_take_are_refused() {
        let with = |length: u32| {
            let mut fields = GREY.to_vec();
            fields.extend([(COMPRESSION, 7), (JPEG_TABLES, 8)]);
            let mut bytes = page(&fields, &vec![0; 1 << 17]);
            let entry = bytes.chunks(2).position(|two| two == JPEG_TABLES.to_le_bytes()).unwrap() * 2;
            bytes[entry + 2] = 7;
            bytes[entry + 4..entry + 8].copy_from_slice(&length.to_le_bytes());
            read(&bytes, &Limits::default()).map(|source| source.stored)
        };
        assert!(with(1 << 16).is_ok());
        match with((1 << 16) + 1) {
            Err(Error::Unsupported { feature, .. }) => assert!(feature.contains("tables"), "{feature}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn strips_that_are_not_there_are_missed_before_anything_is_decoded() {
        let whole = page(&GREY, &[0; 4]);
        for end in 0..whole.len() {
            let read = read(&whole[..end], &Limits::default());
            assert!(matches!(read, Err(Error::Malformed { .. })), "cut at {end}");
        }
        let mut many = GREY.to_vec();
        many.push((ROWS_PER_STRIP, 1));
        assert!(matches!(read(&page(&many, &[0; 4]), &Limits::default()), Err(Error::Malformed { .. })));
    }

    /// 1,000 tiles of 16 × 1,000,000, of each of which one row is the picture's.
    #[test]
    fn tiles_that_dwarf_their_picture_are_refused() {
        let (width, tiles) = (16_000, 1_000_u32);
        let mut fields =
            vec![(IMAGE_WIDTH, width), (IMAGE_LENGTH, 1), (BITS_PER_SAMPLE, 8), (PHOTOMETRIC, 1)];
        fields.extend([(TILE_WIDTH, 16), (TILE_LENGTH, 1_000_000), (COMPRESSION, 8)]);
        let mut bytes = page(&fields, &[]);
        // The offsets and lengths of the tiles stand behind the directory.
        let lists = bytes.len() as u32;
        for (tag, list) in [(TILE_OFFSETS, lists), (TILE_BYTE_COUNTS, lists + 4 * tiles)] {
            let replaced = if tag == TILE_OFFSETS { STRIP_OFFSETS } else { STRIP_BYTE_COUNTS };
            let entry = bytes.chunks(2).position(|two| two == replaced.to_le_bytes()).unwrap() * 2;
            bytes[entry..entry + 2].copy_from_slice(&tag.to_le_bytes());
            bytes[entry + 4..entry + 8].copy_from_slice(&tiles.to_le_bytes());
            bytes[entry + 8..entry + 12].copy_from_slice(&list.to_le_bytes());
        }
        bytes.extend(std::iter::repeat_n(8_u32.to_le_bytes(), tiles as usize).flatten());
        bytes.extend(std::iter::repeat_n(8_u32.to_le_bytes(), tiles as usize).flatten());
        match read(&bytes, &Limits::default()) {
            Err(Error::OverLimit { which: Limit::Pixels, .. }) => {}
            other => panic!("{:?}", other.map(|source| source.stored)),
        }
    }

    proptest! {
        #[test]
        fn any_directory_is_read_without_a_panic(
            fields in prop::collection::vec((250_u16..350, any::<u32>()), 0..20),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut fields = fields;
            fields.extend(GREY);
            let mut bytes = page(&fields, &[0; 64]);
            for (at, value) in flips {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if let Ok(source) = read(&bytes, &Limits::default()) {
                prop_assert!(source.stored.pixels() > 0);
            }
        }
    }
}
