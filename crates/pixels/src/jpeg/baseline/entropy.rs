//! Entropy-coded data to coefficients, one row of MCUs at a time (ITU-T T.81
//! F.2.2).
//!
//! Refuses, by `None`: data that end early, go on too long, or say what no
//! encoder says.

use super::huffman::{Bytes, Cursor, END, Table};
use super::tables::Scan;
use crate::geometry::Scale;
use crate::jpeg::ZIGZAG;
use archmage::prelude::*;

/// Coefficients of a block, row by row, not yet multiplied by the steps of
/// quantization.
pub(super) type Block = [i16; 64];

/// A component's blocks of a row of MCUs.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    /// Row by row as they lie in the picture.
    pub(super) coefficients: Vec<Block>,
    /// The last coefficient of each, in the order in which they are coded: 0
    /// where a block is flat.
    pub(super) last: Vec<u8>,
}

/// Reads a scan from its start to its end.
pub(super) struct Reader<'a> {
    scan: &'a Scan<'a>,
    bytes: Bytes<'a>,
    cursor: Cursor,
    /// The last DC coefficient of each component.
    predictions: [i32; 3],
    /// MCUs to the next restart marker, and its number.
    restart: (u32, u8),
    /// Rows of MCUs that have been read.
    rows: usize,
    /// Whether only the means of blocks are wanted.
    means: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(scan: &'a Scan<'a>, scale: Scale) -> Self {
        Self {
            scan,
            bytes: Bytes::new(scan.data, scan.rest),
            cursor: Cursor::default(),
            predictions: [0; 3],
            restart: (scan.restart, 0),
            rows: 0,
            means: scale == Scale::Eighth,
        }
    }

    /// Reads a row of MCUs, and the end of the picture after the last.
    pub(super) fn row(&mut self, blocks: &mut [Blocks]) -> Option<()> {
        let scan = self.scan;
        for (component, blocks) in scan.components.iter().zip(&mut *blocks) {
            let count = scan.columns * component.across * component.down;
            blocks.coefficients.resize(count, [0; 64]);
            blocks.last.resize(count, 0);
        }
        incant!(mcus(self, blocks), [v3, scalar])?;
        self.rows += 1;
        if self.is_done() {
            self.bytes.expect(0xd9, &mut self.cursor)?;
        }
        Some(())
    }

    /// Whether all rows have been read.
    pub(super) const fn is_done(&self) -> bool {
        self.rows == self.scan.rows
    }

    #[expect(clippy::inline_always, reason = "only what is inlined is compiled for its caller's processor")]
    #[inline(always)]
    fn mcus<const MEANS: bool>(&mut self, blocks: &mut [Blocks]) -> Option<()> {
        let scan = self.scan;
        // Here, where they may stay in registers.
        let mut cursor = self.cursor;
        for column in 0..scan.columns {
            if scan.restart > 0 {
                if self.restart.0 == 0 {
                    self.bytes.expect(0xd0 + self.restart.1, &mut cursor)?;
                    self.predictions = [0; 3];
                    self.restart = (scan.restart, (self.restart.1 + 1) % 8);
                }
                self.restart.0 -= 1;
            }
            let each = scan.components.iter().zip(&mut self.predictions).zip(&mut *blocks);
            for ((component, prediction), blocks) in each {
                let (dc, ac) = (scan.dc[component.dc].as_ref()?, scan.ac[component.ac].as_ref()?);
                for line in 0..component.down {
                    let first = (line * scan.columns + column) * component.across;
                    for at in first..first + component.across {
                        let coefficients = blocks.coefficients.get_mut(at)?;
                        self.bytes.provide(&mut cursor)?;
                        let plain = self.bytes.plain();
                        let last = block::<MEANS>(&mut cursor, plain, dc, ac, prediction, coefficients)?;
                        *blocks.last.get_mut(at)? = last;
                    }
                }
            }
        }
        self.cursor = cursor;
        Some(())
    }
}

fn mcus_scalar(_: ScalarToken, reader: &mut Reader<'_>, blocks: &mut [Blocks]) -> Option<()> {
    if reader.means { reader.mcus::<true>(blocks) } else { reader.mcus::<false>(blocks) }
}

/// Shifts by a variable take one step instead of three there.
#[cfg(target_arch = "x86_64")]
#[arcane]
fn mcus_v3(_: X64V3Token, reader: &mut Reader<'_>, blocks: &mut [Blocks]) -> Option<()> {
    if reader.means { reader.mcus::<true>(blocks) } else { reader.mcus::<false>(blocks) }
}

/// Reads a block, or of it the mean alone, and returns which of its
/// coefficients was the last.
#[expect(clippy::inline_always, reason = "the bits must stay in registers")]
#[inline(always)]
fn block<const MEANS: bool>(
    cursor: &mut Cursor,
    plain: &[u8],
    dc: &Table,
    ac: &Table,
    prediction: &mut i32,
    block: &mut Block,
) -> Option<u8> {
    if !MEANS {
        *block = [0; 64];
    }
    let mut at = 0;
    cursor.refill(plain)?;
    let (_, difference) = cursor.next(dc)?;
    // Within 16 bits in any picture; what is beyond wraps, as in libjpeg.
    *prediction = prediction.wrapping_add(difference);
    block[0] = *prediction as i16;
    // Two more values are within the block: none is that of the next one.
    while at < 63 - 16 {
        cursor.refill(plain)?;
        values::<MEANS>(cursor, ac, &mut at, block)?;
        if at >= 63 - 16 {
            break;
        }
        values::<MEANS>(cursor, ac, &mut at, block)?;
    }
    while at < 63 {
        cursor.refill(plain)?;
        value::<MEANS>(cursor, ac, &mut at, block)?;
    }
    match at {
        63 => Some(63),
        END.. => Some((at - END) as u8),
        // A run beyond the last coefficient.
        _ => None,
    }
}

/// Reads one value, or two at once, to where they belong after `at`.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn values<const MEANS: bool>(
    cursor: &mut Cursor,
    ac: &Table,
    at: &mut usize,
    block: &mut Block,
) -> Option<()> {
    let Some(pair) = cursor.pair(ac) else { return value::<MEANS>(cursor, ac, at, block) };
    for (step, value) in pair.steps().into_iter().zip(pair.values()) {
        *at += step;
        store::<MEANS>(block, *at, value);
    }
    Some(())
}

/// Reads a value to where it belongs after `at`.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn value<const MEANS: bool>(
    cursor: &mut Cursor,
    ac: &Table,
    at: &mut usize,
    block: &mut Block,
) -> Option<()> {
    let (entry, value) = cursor.next(ac)?;
    *at += entry.step();
    store::<MEANS>(block, *at, value as i16);
    Some(())
}

#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn store<const MEANS: bool>(block: &mut Block, at: usize, value: i16) {
    if !MEANS {
        block[usize::from(ZIGZAG[at & 63]) & 63] = value;
    }
}
