//! Writes an AVIF file around AV1 pictures that are encoded already. Owns the
//! order of the boxes and their lengths; refuses nothing: what it is given
//! fits, since a print is far below the 4 GiB of its offsets.
//!
//! Source: AVIF 1.1 (Alliance for Open Media), MIAF (ISO/IEC 23000-22) and
//! HEIF (ISO/IEC 23008-12).

use super::av1::Sequence;
use super::cicp::Cicp;

/// What is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avif<'a> {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// One AV1 temporal unit: a sequence header and a key frame.
    pub(crate) colour: &'a [u8],
    /// The same for the alpha plane, monochrome.
    pub(crate) alpha: Option<&'a [u8]>,
    /// Code points of ITU-T H.273 and whether the samples use the full range.
    pub(crate) cicp: Cicp,
    pub(crate) icc: Option<&'a [u8]>,
    /// A TIFF structure, without `Exif\0\0`.
    pub(crate) exif: Option<&'a [u8]>,
    pub(crate) xmp: Option<&'a [u8]>,
}

/// One item, and what belongs to it.
struct Item<'a> {
    kind: [u8; 4],
    /// After the item's name: the MIME type of a `mime` item.
    content_type: &'a [u8],
    /// Before the data: the offset that opens an Exif item.
    prefix: &'a [u8],
    data: &'a [u8],
    /// How it refers to the first item.
    reference: Option<[u8; 4]>,
    /// One-based indices into the properties, the top bit set where a reader
    /// must understand the property.
    properties: Vec<u8>,
}

const ESSENTIAL: u8 = 0x80;
const ALPHA: &[u8] = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0";

impl Avif<'_> {
    /// The file; `None` where the AV1 data does not begin with a sequence header.
    pub(crate) fn write(&self) -> Option<Vec<u8>> {
        let colour = super::av1::without_delimiter(self.colour);
        let sequence = Sequence::read(colour)?;
        let mut properties: Vec<Vec<u8>> = Vec::new();
        let mut add = |bytes: Vec<u8>| {
            properties.push(bytes);
            properties.len() as u8
        };
        let size = add(full_box(*b"ispe", 0, 0, |out| {
            out.extend(self.width.to_be_bytes());
            out.extend(self.height.to_be_bytes());
        }));
        let mut of_colour = vec![
            size,
            add(pixi(if sequence.monochrome { 1 } else { 3 }, sequence.depth)),
            add(av1c(&sequence)) | ESSENTIAL,
        ];
        if let Some(icc) = self.icc {
            of_colour.push(add(plain_box(*b"colr", |out| {
                out.extend(b"prof");
                out.extend(icc);
            })));
        }
        of_colour.push(add(plain_box(*b"colr", |out| {
            out.extend(b"nclx");
            for code in [self.cicp.primaries, self.cicp.transfer, self.cicp.matrix] {
                out.extend(code.to_be_bytes());
            }
            out.push(u8::from(self.cicp.full_range) << 7);
        })));
        let picture = Item {
            kind: *b"av01",
            content_type: b"",
            prefix: b"",
            data: colour,
            reference: None,
            properties: of_colour,
        };
        let mut items = vec![picture];
        if let Some(alpha) = self.alpha {
            let alpha = super::av1::without_delimiter(alpha);
            let sequence = Sequence::read(alpha)?;
            let properties = vec![
                size,
                add(pixi(1, sequence.depth)),
                add(av1c(&sequence)) | ESSENTIAL,
                add(full_box(*b"auxC", 0, 0, |out| out.extend(ALPHA))),
            ];
            let reference = Some(*b"auxl");
            items.push(Item {
                kind: *b"av01",
                content_type: b"",
                prefix: b"",
                data: alpha,
                reference,
                properties,
            });
        }
        let described = Some(*b"cdsc");
        if let Some(data) = self.exif {
            // The TIFF header follows at once (ISO/IEC 23008-12, A.2.1).
            let (content_type, prefix) = (&b""[..], &[0; 4][..]);
            let kind = *b"Exif";
            items.push(Item {
                kind,
                content_type,
                prefix,
                data,
                reference: described,
                properties: Vec::new(),
            });
        }
        if let Some(data) = self.xmp {
            let (content_type, prefix) = (&b"application/rdf+xml\0"[..], &b""[..]);
            let kind = *b"mime";
            items.push(Item {
                kind,
                content_type,
                prefix,
                data,
                reference: described,
                properties: Vec::new(),
            });
        }
        Some(file(&items, &properties, sequence.profile))
    }
}

fn file(items: &[Item<'_>], properties: &[Vec<u8>], profile: u8) -> Vec<u8> {
    let mut out = plain_box(*b"ftyp", |out| {
        out.extend(b"avif\0\0\0\0avifmif1miaf");
        // The AVIF profiles name AV1's Main and High; Professional has none.
        match profile {
            0 => out.extend(b"MA1B"),
            1 => out.extend(b"MA1A"),
            _ => {}
        }
    });
    // Offsets have a fixed width: the length of `meta` is known once it is written with any.
    let length = meta(items, properties, 0).len();
    let data_at = (out.len() + length + 8) as u32;
    out.extend(meta(items, properties, data_at));
    out.extend(plain_box(*b"mdat", |out| {
        for item in items {
            out.extend(item.prefix);
            out.extend(item.data);
        }
    }));
    out
}

fn meta(items: &[Item<'_>], properties: &[Vec<u8>], data_at: u32) -> Vec<u8> {
    full_box(*b"meta", 0, 0, |out| {
        out.extend(full_box(*b"hdlr", 0, 0, |out| {
            out.extend(b"\0\0\0\0pict");
            out.extend([0; 13]); // reserved, and an empty name
        }));
        out.extend(full_box(*b"pitm", 0, 0, |out| out.extend([0, 1])));
        out.extend(full_box(*b"iloc", 0, 0, |out| {
            // Offsets and lengths of 4 bytes, no base offset.
            out.extend([0x44, 0x00]);
            out.extend((items.len() as u16).to_be_bytes());
            let mut at = data_at;
            for (id, item) in (1_u16..).zip(items) {
                let length = (item.prefix.len() + item.data.len()) as u32;
                out.extend(id.to_be_bytes());
                out.extend([0, 0, 0, 1]); // this file, one extent
                out.extend(at.to_be_bytes());
                out.extend(length.to_be_bytes());
                at += length;
            }
        }));
        out.extend(full_box(*b"iinf", 0, 0, |out| {
            out.extend((items.len() as u16).to_be_bytes());
            for (id, item) in (1_u16..).zip(items) {
                out.extend(full_box(*b"infe", 2, 0, |out| {
                    out.extend(id.to_be_bytes());
                    out.extend([0, 0]); // not protected
                    out.extend(item.kind);
                    out.push(0); // no name
                    out.extend(item.content_type);
                }));
            }
        }));
        if items.len() > 1 {
            out.extend(full_box(*b"iref", 0, 0, |out| {
                for (id, item) in (1_u16..).zip(items) {
                    if let Some(kind) = item.reference {
                        out.extend(plain_box(kind, |out| {
                            out.extend(id.to_be_bytes());
                            out.extend([0, 1, 0, 1]);
                        }));
                    }
                }
            }));
        }
        out.extend(plain_box(*b"iprp", |out| {
            out.extend(plain_box(*b"ipco", |out| out.extend(properties.concat())));
            out.extend(full_box(*b"ipma", 0, 0, |out| {
                let with: Vec<_> = (1_u16..).zip(items).filter(|(_, i)| !i.properties.is_empty()).collect();
                out.extend((with.len() as u32).to_be_bytes());
                for (id, item) in with {
                    out.extend(id.to_be_bytes());
                    out.push(item.properties.len() as u8);
                    out.extend(&item.properties);
                }
            }));
        }));
    })
}

fn pixi(channels: u8, depth: u8) -> Vec<u8> {
    full_box(*b"pixi", 0, 0, |out| {
        out.push(channels);
        out.extend(std::iter::repeat_n(depth, channels.into()));
    })
}

/// Source: AV1 Codec ISO Media File Format Binding 1.2, 2.3.3.
fn av1c(sequence: &Sequence) -> Vec<u8> {
    plain_box(*b"av1C", |out| {
        out.push(0x81); // marker and version
        out.push(sequence.profile << 5 | sequence.level);
        out.push(
            u8::from(sequence.tier) << 7
                | u8::from(sequence.depth > 8) << 6
                | u8::from(sequence.depth > 10) << 5
                | u8::from(sequence.monochrome) << 4
                | u8::from(sequence.subsampled.0) << 3
                | u8::from(sequence.subsampled.1) << 2
                | sequence.chroma_position,
        );
        out.push(0); // no presentation delay
    })
}

fn plain_box(kind: [u8; 4], content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.extend(kind);
    content(&mut out);
    let length = out.len() as u32;
    out[..4].copy_from_slice(&length.to_be_bytes());
    out
}

fn full_box(kind: [u8; 4], version: u8, flags: u8, content: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    plain_box(kind, |out| {
        out.extend([version, 0, 0, flags]);
        content(out);
    })
}
