//! The container held against made-up files, damaged ones and noise.

use super::cicp::Cicp;
use super::container::{Container, Kind};
use super::still::{Coded, Still};
use super::write::Avif;
use super::{Fault, av1};
use crate::geometry::{Orientation, Size};
use proptest::prelude::*;

/// A box.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "byte strings are written as references")]
fn plain(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut out = (content.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(content);
    out
}

/// A full box of `version`, without flags.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "byte strings are written as references")]
fn full(kind: &[u8; 4], version: u8, content: &[u8]) -> Vec<u8> {
    plain(kind, &[&[version, 0, 0, 0], content].concat())
}

/// The sequence header of a still picture of 8 bits, 4:2:0, `side` a side.
fn sequence(side: u8) -> Vec<u8> {
    let mut bits = String::new();
    bits += "000"; // profile
    bits += "11"; // still picture, reduced header
    bits += "00000"; // level
    bits += "0111"; // 8 bits of width
    bits += "0111"; // 8 bits of height
    let side = format!("{:08b}", side - 1);
    bits.push_str(&side);
    bits.push_str(&side);
    bits += "000"; // block size and intra tools
    bits += "000"; // superres, CDEF, restoration
    bits += "0"; // 8 bits
    bits += "0"; // colour
    bits += "0"; // no description
    bits += "1"; // full range
    bits += "00"; // chroma position
    bits += "0"; // separate quantizers
    bits += "0"; // film grain
    while !bits.len().is_multiple_of(8) {
        bits += "0";
    }
    let payload: Vec<u8> =
        bits.as_bytes().chunks(8).map(|b| b.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'))).collect();
    [&[0x0a, payload.len() as u8][..], &payload].concat()
}

/// A file of tiles, 64 a side, in a grid of `columns` × `rows` shown at `size`,
/// with the properties `extra` on the grid.
fn grid(columns: u8, rows: u8, size: (u16, u16), extra: &[Vec<u8>]) -> Vec<u8> {
    described(columns, rows, size, extra, None)
}

/// The same with an item of XMP of so many bytes, in two pieces, of which so many
/// references say that it describes the grid.
fn described(
    columns: u8,
    rows: u8,
    size: (u16, u16),
    extra: &[Vec<u8>],
    xmp: Option<(u32, usize)>,
) -> Vec<u8> {
    let tile = sequence(64);
    let tiles = u16::from(columns) * u16::from(rows);
    let be = |n: u16| n.to_be_bytes();
    let description = [&[0, 0, rows - 1, columns - 1][..], &be(size.0), &be(size.1)].concat();
    let length = xmp.map_or(0, |(length, _)| length);
    let idat = [description, tile.repeat(tiles.into()), vec![b' '; length as usize]].concat();
    let mut infe = full(b"infe", 2, &[&be(1)[..], &[0, 0], b"grid\0"].concat());
    // All in `idat`: the grid, then its tiles.
    let place = |id: u16, start: u32, length: u32| {
        [&be(id)[..], &be(1), &be(0), &be(1), &start.to_be_bytes(), &length.to_be_bytes()].concat()
    };
    let items = tiles + 1 + u16::from(xmp.is_some());
    let mut iloc = [&[0x44, 0x00][..], &be(items), &place(1, 0, 8)].concat();
    let mut dimg = [&be(1)[..], &be(tiles)].concat();
    let own: Vec<u8> = (3..3 + extra.len() as u8).collect();
    let mut ipma =
        [&(u32::from(tiles) + 1).to_be_bytes()[..], &be(1), &[1 + own.len() as u8, 2], &own].concat();
    for id in 2..2 + tiles {
        infe.extend(full(b"infe", 2, &[&be(id)[..], &[0, 0], b"av01\0"].concat()));
        let start = 8 + u32::from(id - 2) * tile.len() as u32;
        iloc.extend(place(id, start, tile.len() as u32));
        dimg.extend(be(id));
        ipma.extend([&be(id)[..], &[1, 1]].concat());
    }
    let mut references = plain(b"dimg", &dimg);
    if let Some((_, count)) = xmp {
        let id = 2 + tiles;
        let kind = b"mime\0application/rdf+xml\0";
        infe.extend(full(b"infe", 2, &[&be(id)[..], &[0, 0], kind].concat()));
        let (start, half) = (idat.len() as u32 - length, length / 2);
        iloc.extend([&be(id)[..], &be(1), &be(0), &be(2)].concat());
        iloc.extend([start, half, start + half, length - half].map(u32::to_be_bytes).concat());
        references.extend(plain(b"cdsc", &[be(id), be(1), be(1)].concat()).repeat(count));
    }
    let ispe = |w: u16, h: u16| full(b"ispe", 0, &[&[0, 0][..], &be(w), &[0, 0], &be(h)].concat());
    let ipco = [ispe(64, 64), ispe(size.0, size.1), extra.concat()].concat();
    let meta = [
        full(b"hdlr", 0, b"\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        full(b"pitm", 0, &be(1)),
        full(b"iloc", 1, &iloc),
        full(b"iinf", 0, &[&be(items)[..], &infe].concat()),
        full(b"iref", 0, &references),
        plain(b"iprp", &[plain(b"ipco", &ipco), full(b"ipma", 0, &ipma)].concat()),
        plain(b"idat", &idat),
    ]
    .concat();
    [plain(b"ftyp", b"avif\0\0\0\0avifmif1"), full(b"meta", 0, &meta)].concat()
}

fn still(bytes: &[u8]) -> Result<Still<'_>, Fault> {
    Still::of(&Container::read(bytes)?)
}

fn refusal(bytes: &[u8]) -> String {
    match still(bytes) {
        Err(Fault::Malformed(detail) | Fault::Unsupported(detail)) => detail,
        Ok(_) => panic!("it was read"),
    }
}

#[test]
fn a_grid_is_its_tiles_and_the_size_that_it_shows() {
    let bytes = grid(3, 2, (170, 100), &[]);
    let still = still(&bytes).unwrap();
    assert_eq!(still.coded, Coded::Av1);
    assert_eq!(still.colour.size, Size::new(170, 100));
    assert_eq!(
        (still.colour.tile, still.colour.columns, still.colour.tiles.len()),
        (Size::new(64, 64), 3, 6)
    );
    assert_eq!(still.crop, (0, 0, Size::new(170, 100)));
    assert!(still.alpha.is_none() && !still.premultiplied);
}

/// What is in pieces is copied, so that a reference may not cost a copy of the file:
/// here that would be 64 GB.
#[test]
fn a_description_is_put_together_once_however_often_it_is_referred_to() {
    let bytes = described(1, 1, (64, 64), &[], Some((8 << 20, 8_000)));
    assert_eq!(still(&bytes).unwrap().xmp.unwrap().len(), 8 << 20);
}

#[test]
fn a_grid_that_its_tiles_do_not_make_is_refused() {
    for (columns, rows, size) in [(3, 2, (193, 100)), (3, 2, (128, 100)), (3, 2, (170, 64)), (1, 1, (65, 1))]
    {
        assert!(refusal(&grid(columns, rows, size, &[])).contains("do not cover"), "{size:?}");
    }
    assert!(refusal(&grid(1, 1, (0, 9), &[])).contains("no pixels"));
    // One tile fewer than promised.
    let mut bytes = grid(3, 2, (170, 100), &[]);
    let at = memchr::memmem::find(&bytes, &[0, 0, 1, 2, 0, 170]).unwrap();
    bytes[at + 3] = 3;
    assert!(refusal(&bytes).contains("has 6 tiles"));
}

#[test]
fn cuts_turns_and_mirrors_are_applied_in_their_order() {
    let irot = |angle| plain(b"irot", &[angle]);
    let imir = |axis| plain(b"imir", &[axis]);
    let exif = Orientation::from_exif;
    let cases = [
        (vec![], exif(1)),
        (vec![irot(1)], exif(8)),
        (vec![irot(2)], exif(3)),
        (vec![irot(3)], exif(6)),
        (vec![imir(0)], exif(4)),
        (vec![imir(1)], exif(2)),
        // ISO/IEC 23008-12 has the turn before the mirror.
        (vec![irot(1), imir(0)], exif(5)),
        (vec![irot(1), imir(1)], exif(7)),
        (vec![imir(1), irot(1)], exif(5)),
    ];
    for (properties, orientation) in cases {
        let bytes = grid(1, 1, (60, 50), &properties);
        assert_eq!(still(&bytes).unwrap().orientation, orientation, "{properties:?}");
    }
    let words = |words: [i32; 8]| plain(b"clap", &words.map(i32::to_be_bytes).concat());
    let bytes = grid(1, 1, (60, 50), &[words([40, 1, 30, 1, 4, 1, -3, 1]), irot(1)]);
    // From 10 + 4 and 10 − 3.
    assert_eq!(still(&bytes).unwrap().crop, (14, 7, Size::new(40, 30)));
    assert!(refusal(&grid(1, 1, (60, 50), &[words([40, 1, 30, 1, 11, 1, 0, 1])])).contains("outside"));
    assert!(refusal(&grid(1, 1, (60, 50), &[words([41, 2, 30, 1, 0, 1, 0, 1])])).contains("between pixels"));
    assert!(refusal(&grid(1, 1, (60, 50), &[words([0, 1, 30, 1, 0, 1, 0, 1])])).contains("outside"));
    assert!(
        refusal(&grid(1, 1, (60, 50), &[irot(1), words([4, 1, 4, 1, 0, 1, 0, 1])]))
            .contains("after it is turned")
    );
}

#[test]
fn a_size_that_the_bit_stream_contradicts_is_refused() {
    let mut bytes = grid(1, 1, (60, 50), &[]);
    let at = memchr::memmem::find(&bytes, b"ispe\0\0\0\0\0\0\0\x40").unwrap();
    bytes[at + 11] = 0x41;
    assert!(refusal(&bytes).contains("its bit stream 64 × 64"));
}

#[test]
fn what_must_be_understood_and_is_not_is_refused() {
    let property = plain(b"what", b"1234");
    let mut bytes = grid(1, 1, (60, 50), &[property]);
    assert!(still(&bytes).is_ok());
    let at = memchr::memmem::find(&bytes, &[0, 1, 2, 2, 3]).unwrap();
    bytes[at + 4] |= 0x80;
    assert_eq!(refusal(&bytes), "the property \"what\"");
}

#[test]
fn brands_are_asked_in_the_major_place_and_in_the_list() {
    let of = |brands: &[u8]| Kind::of(&plain(b"ftyp", brands));
    assert_eq!(of(b"avif\0\0\0\0"), Some(Kind::Avif));
    assert_eq!(of(b"mif1\0\0\0\0heicavif"), Some(Kind::Avif));
    assert_eq!(of(b"heic\0\0\0\0mif1"), Some(Kind::Heif));
    assert_eq!(of(b"isom\0\0\0\0mp42"), None);
    // The version is no brand.
    assert_eq!(of(b"isomavifmp42"), None);
    assert_eq!(Kind::of(b"\0\0\0\x08ftyp"), None);
    assert_eq!(Kind::of(b"RIFF"), None);
}

#[test]
fn what_is_written_is_read() {
    let data = sequence(64);
    let cicp = Cicp { primaries: 1, transfer: 13, matrix: 6, full_range: true };
    let with_delimiter = [&[0x12, 0][..], &data].concat();
    let avif = Avif {
        width: 64,
        height: 64,
        colour: &with_delimiter,
        alpha: Some(&data),
        cicp,
        icc: Some(b"a profile"),
        exif: Some(b"II*\0exif"),
        xmp: Some(b"<x/>"),
    };
    let file = avif.write().unwrap();
    assert_eq!(Kind::of(&file), Some(Kind::Avif));
    let read = still(&file).unwrap();
    assert_eq!(read.colour.tiles, [data.as_slice()]);
    assert_eq!(read.colour.nclx, Some(cicp));
    assert_eq!(read.alpha.unwrap().tiles, [data.as_slice()]);
    assert_eq!(
        (read.icc, read.exif, read.xmp.as_deref()),
        (Some(&b"a profile"[..]), Some(&b"II*\0exif"[..]), Some(&b"<x/>"[..]))
    );
    assert_eq!(Avif { colour: b"no header", ..avif }.write(), None);
}

#[test]
fn a_sequence_header_that_breaks_off_is_none() {
    let data = sequence(64);
    let whole = av1::Sequence::read(&data).unwrap();
    assert_eq!((whole.width, whole.height, whole.depth, whole.subsampled), (64, 64, 8, (true, true)));
    assert!(whole.cicp.full_range);
    for end in 0..data.len() - 1 {
        assert_eq!(av1::Sequence::read(&data[..end]), None, "{end} bytes");
    }
}

proptest! {
    #[test]
    fn any_boxes_are_read_or_refused(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = still(&noise);
        let _ = still(&[plain(b"ftyp", b"avif\0\0\0\0"), full(b"meta", 0, &noise)].concat());
        let _ = av1::Sequence::read(&noise);
        let _ = av1::frames(&noise);
        let _ = super::hevc::Configuration::read(&noise);
    }

    #[test]
    fn a_damaged_file_is_read_or_refused(at: prop::sample::Index, to: u8, cut: prop::sample::Index) {
        let mut bytes = grid(3, 2, (170, 100), &[plain(b"irot", &[1])]);
        let at = at.index(bytes.len());
        bytes[at] = to;
        if let Ok(still) = still(&bytes) {
            let (x, y, size) = still.crop;
            prop_assert!(x + size.width <= still.colour.size.width && y + size.height <= still.colour.size.height);
            prop_assert_eq!(still.colour.tiles.len() % still.colour.columns as usize, 0);
        }
        let _ = still(&bytes[..cut.index(bytes.len())]);
    }
}
