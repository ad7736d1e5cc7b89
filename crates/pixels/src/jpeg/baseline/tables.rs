//! What the markers before a baseline scan say about how to read it: sampling,
//! quantization and Huffman tables, the restart interval (ITU-T T.81 annex B).
//!
//! Refuses, by `None`, whatever is out of the ordinary in the least: arithmetic
//! or progressive coding, several scans, bytes between segments. libjpeg knows
//! what may be made of it.

use super::huffman::Table;
use crate::arriving::Rest;
use crate::geometry::Scale;
use crate::jpeg::{Color, Header, ZIGZAG};
use crate::planes::Shape;

/// A component of the scan.
#[derive(Debug, Clone)]
pub(super) struct Component {
    /// Columns and rows of blocks in an MCU.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Steps of quantization, row by row.
    pub(super) quantization: [i16; 64],
    /// Which of [`Scan::dc`] and [`Scan::ac`].
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// A baseline picture of one scan, ready to be decoded.
#[derive(Debug)]
pub struct Scan<'a> {
    /// What follows the header of the scan, and what follows that.
    pub(super) data: &'a [u8],
    pub(super) rest: Option<Rest<'a>>,
    pub(super) components: Vec<Component>,
    pub(super) dc: [Option<Table>; 4],
    pub(super) ac: [Option<Table>; 4],
    /// MCUs between restart markers; 0 for none.
    pub(super) restart: u32,
    /// Columns and rows of MCUs.
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// The picture at full size.
    shape: Shape,
}

impl<'a> Scan<'a> {
    /// The scan of a picture whose `header` was read from the same `bytes`;
    /// `None` where it is not plain baseline.
    pub fn read(bytes: &'a [u8], header: &Header<'a>) -> Option<Self> {
        let subsampling = header.subsampling?;
        if header.progressive || !matches!(header.color, Color::Gray | Color::YCbCr) {
            return None;
        }
        let mut found = Found::default();
        let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
        loop {
            let [0xff, marker, after @ ..] = rest else { return None };
            if *marker == 0xff {
                rest = &rest[1..];
                continue;
            }
            let (&[high, low], _) = after.split_first_chunk()?;
            let (segment, next) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
            let payload = segment.get(2..)?;
            rest = next;
            match marker {
                0xc0 | 0xc1 if found.frame.is_empty() => found.frame = payload.get(6..)?,
                0xc4 => found.huffman(payload)?,
                0xdb => found.quantization(payload)?,
                0xdd => found.restart = u32::from(u16::from_be_bytes(payload.try_into().ok()?)),
                0xda => {
                    let shape = Shape::new(header.width, header.height, subsampling);
                    break Some(Self { rest: header.rest, ..found.scan(payload, rest, shape)? });
                }
                // Other or more frames, other codes, and what has no segment or no meaning.
                0x00..=0xdf | 0xf0..=0xfd => return None,
                _ => {}
            }
        }
    }

    /// The planes that decoding at `scale` gives.
    pub const fn shape(&self, scale: Scale) -> Shape {
        let Shape { width, height, subsampling } = self.shape;
        Shape::new(scale.of(width), scale.of(height), subsampling)
    }
}

#[derive(Default)]
struct Found<'a> {
    /// The components of the frame header.
    frame: &'a [u8],
    quantization: [Option<[i16; 64]>; 4],
    dc: [Option<Codes<'a>>; 4],
    ac: [Option<Codes<'a>>; 4],
    restart: u32,
}

/// A table as it stands in the file: a file may have thousands, of which the last
/// are made and used.
#[derive(Clone, Copy)]
struct Codes<'a> {
    counts: &'a [u8; 16],
    symbols: &'a [u8],
}

impl<'a> Found<'a> {
    /// T.81 B.2.4.1.
    fn quantization(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [kind, rest @ ..] = payload {
            let wide = match kind >> 4 {
                0 => false,
                1 => true,
                _ => return None,
            };
            let (steps, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            payload = rest;
            let mut table = [0; 64];
            for (index, &place) in ZIGZAG.iter().enumerate() {
                let step = if wide {
                    u16::from_be_bytes([steps[2 * index], steps[2 * index + 1]])
                } else {
                    steps[index].into()
                };
                // 8-bit pictures have no use for more, and it would not fit in the arithmetic.
                table[usize::from(place)] = i16::try_from(step).ok().filter(|&step| step > 0)?;
            }
            *self.quantization.get_mut(usize::from(kind & 15))? = Some(table);
        }
        Some(())
    }

    /// T.81 B.2.4.2.
    fn huffman(&mut self, mut payload: &'a [u8]) -> Option<()> {
        while let [kind, rest @ ..] = payload {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(total)?;
            payload = rest;
            let tables = match kind >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return None,
            };
            *tables.get_mut(usize::from(kind & 15))? = Some(Codes { counts, symbols });
        }
        Some(())
    }

    /// T.81 B.2.3: the scan of all components, in the order of the frame.
    fn scan(self, payload: &[u8], data: &'a [u8], shape: Shape) -> Option<Scan<'a>> {
        let planes = shape.subsampling.planes();
        let (frame, []) = self.frame.as_chunks::<3>() else { return None };
        let [count, rest @ ..] = payload else { return None };
        let (chosen, [0, 63, 0]) = rest.split_at_checked(2 * planes)? else { return None };
        if usize::from(*count) != planes || frame.len() != planes {
            return None;
        }
        let alone = planes == 1;
        let (mut dc, mut ac) = ([const { None }; 4], [const { None }; 4]);
        let mut components = Vec::with_capacity(planes);
        for (&[id, factors, quantization], &[chosen, tables]) in frame.iter().zip(chosen.as_chunks::<2>().0) {
            if chosen != id {
                return None;
            }
            let component = Component {
                // A component alone is coded block by block, whatever its factors.
                across: if alone { 1 } else { usize::from(factors >> 4) },
                down: if alone { 1 } else { usize::from(factors & 15) },
                quantization: (*self.quantization.get(usize::from(quantization))?)?,
                dc: usize::from(tables >> 4),
                ac: usize::from(tables & 15),
            };
            for (made, found, at, is_dc) in
                [(&mut dc, &self.dc, component.dc, true), (&mut ac, &self.ac, component.ac, false)]
            {
                let Codes { counts, symbols } = (*found.get(at)?)?;
                if made[at].is_none() {
                    made[at] = Some(Table::new(counts, symbols, is_dc)?);
                }
            }
            components.push(component);
        }
        let (x, y) = shape.subsampling.factors();
        Some(Scan {
            data,
            rest: None,
            components,
            dc,
            ac,
            restart: self.restart,
            columns: shape.width.div_ceil(8 * x) as usize,
            rows: shape.height.div_ceil(8 * y) as usize,
            shape,
        })
    }
}
