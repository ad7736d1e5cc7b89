//! A baseline JPEG writer (ITU-T T.81) that knows that its picture is a grid of
//! flat cells.
//!
//! A block within a cell has a DC coefficient only; the next block of the cell
//! has the same, so its bits are the same bits again; and a row of blocks below
//! another one of the same cells is the same row again. Each different block is
//! transformed once, each different stretch of bits made once and then copied.
//! Huffman tables are made for the picture: counting costs as little, and the
//! file is less than half as large as with the standard's tables.

use super::dct::{Quantisation, Varies};
use super::huffman::{Bits, Table};
use super::{Model, Mosaic, grid};
use crate::Error;
use crate::geometry::Subsampling;
use crate::jpeg::{AppSegments, encode_planes};
use std::ops::Range;

/// Cells with a smaller side go through libjpeg-turbo: hardly a block of them
/// is flat.
const LEAST_CELL: usize = 16;

/// Encodes `mosaic` at libjpeg's `quality` 1–100. Alpha is ignored
/// ([`Mosaic::flattened`] comes first).
///
/// The file decodes to exactly the pixels that libjpeg-turbo's encoding of the
/// expanded RGB picture would give; with cells under 16 pixels, chroma at the
/// right edge may differ by a rounding.
pub(crate) fn write_jpeg(
    mosaic: &Mosaic,
    quality: u8,
    subsampling: Subsampling,
    segments: AppSegments<'_>,
) -> Result<Vec<u8>, Error> {
    let subsampling = if mosaic.model == Model::Gray { Subsampling::Gray } else { subsampling };
    let small = has_small_cells(mosaic);
    let common = matches!(subsampling, Subsampling::Gray | Subsampling::S444 | Subsampling::S420);
    if small || !common {
        return encode_planes(&mosaic.to_planes(subsampling), quality, segments);
    }
    let size = [mosaic.width(), mosaic.height()].map(|length| u16::try_from(length).unwrap_or(0));
    if size.contains(&0) {
        let detail =
            format!("a JPEG has 1 to 65535 pixels a side, not {} × {}", mosaic.width(), mosaic.height());
        return Err(Error::Codec { format: "JPEG", detail });
    }
    let tables = [Quantisation::new(false, quality), Quantisation::new(true, quality)];
    let scan = Scan::new(mosaic, subsampling, &tables);
    let huffman = scan.tables();
    let mut file = header(size, subsampling, &tables, &huffman, segments)?;
    file.extend(scan.bits(&huffman).stuffed());
    file.extend([0xff, 0xd9]);
    Ok(file)
}

/// Whether hardly a block would be flat.
pub(super) fn has_small_cells(mosaic: &Mosaic) -> bool {
    let small = |length: u32, edges: usize| (length as usize) < LEAST_CELL * (edges - 1);
    small(mosaic.width(), mosaic.columns.len()) || small(mosaic.height(), mosaic.rows.len())
}

/// Everything before the entropy-coded data.
fn header(
    [width, height]: [u16; 2],
    subsampling: Subsampling,
    quantisation: &[Quantisation; 2],
    huffman: &[Table; 4],
    segments: AppSegments<'_>,
) -> Result<Vec<u8>, Error> {
    let count = subsampling.planes();
    let classes = if count == 1 { 1 } else { 2 };
    let mut file = vec![0xff, 0xd8];
    // Version 1.1, square pixels, no thumbnail.
    segment(&mut file, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    file.extend(segments.to_bytes()?);
    for (number, table) in (0..classes).zip(quantisation) {
        let mut payload = vec![number];
        payload.extend(table.zigzag());
        segment(&mut file, 0xdb, &payload);
    }
    let [[h1, h0], [w1, w0]] = [height.to_be_bytes(), width.to_be_bytes()];
    let mut frame = vec![8, h1, h0, w1, w0, count as u8];
    let (h, v) = subsampling.factors();
    for component in 0..count as u8 {
        let sampling = if component == 0 { (h * 16 + v) as u8 } else { 0x11 };
        frame.extend([component + 1, sampling, component.min(1)]);
    }
    segment(&mut file, 0xc0, &frame);
    for (class, table) in huffman.iter().enumerate().take(2 * usize::from(classes)) {
        // Tables are kept as DC and AC of luma, then of chroma.
        let mut payload = vec![(class as u8 % 2) * 16 + class as u8 / 2];
        payload.extend(table.lengths);
        payload.extend_from_slice(&table.symbols);
        segment(&mut file, 0xc4, &payload);
    }
    let mut scan = vec![count as u8];
    for component in 0..count as u8 {
        scan.extend([component + 1, component.min(1) * 0x11]);
    }
    scan.extend([0, 63, 0]);
    segment(&mut file, 0xda, &scan);
    Ok(file)
}

fn segment(file: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    file.extend([0xff, marker]);
    file.extend((payload.len() as u16 + 2).to_be_bytes());
    file.extend_from_slice(payload);
}

/// One Huffman symbol and the bits behind it.
#[derive(Debug, Clone, Copy)]
struct Token {
    /// 0 and 1: DC and AC of luma; 2 and 3: of chroma.
    table: u8,
    /// Run of zeros in the high nibble, number of bits of `value` in the low one.
    symbol: u8,
    value: u16,
}

impl Token {
    /// T.81 F.1.2.1: negative values are written less one.
    fn new(table: u8, run: u8, value: i16) -> Self {
        let size = 16 - value.unsigned_abs().leading_zeros() as u8;
        let value = if value < 0 { value - 1 } else { value };
        Self { table, symbol: run << 4 | size, value: value as u16 }
    }
}

/// Tokens that are written `times` times running.
#[derive(Debug, Clone)]
struct Stretch {
    tokens: Range<usize>,
    times: usize,
}

/// Stretches that are written `times` times running.
#[derive(Debug)]
struct Rows {
    stretches: Vec<Stretch>,
    times: usize,
}

/// Everything to be written, before the Huffman tables are known.
#[derive(Debug, Default)]
struct Scan {
    tokens: Vec<Token>,
    rows: Vec<Rows>,
}

/// One component of the picture.
struct Component<'a> {
    cells: Vec<u8>,
    cells_across: usize,
    quantisation: &'a Quantisation,
    /// Table of its DC tokens.
    table: u8,
    /// Blocks of an MCU across and down.
    blocks: (usize, usize),
    /// The cells of every sample, across and down.
    columns: Vec<(u32, u32)>,
    rows: Vec<(u32, u32)>,
}

/// The quantised DC coefficient, and the AC tokens' place.
struct Block {
    component: usize,
    dc: i16,
    ac: Range<usize>,
}

impl Scan {
    fn new(mosaic: &Mosaic, subsampling: Subsampling, quantisation: &[Quantisation; 2]) -> Self {
        let (h, v) = subsampling.factors();
        let (across, down) = (mosaic.width().div_ceil(8 * h), mosaic.height().div_ceil(8 * v));
        let ycc = mosaic.ycc_cells();
        let components: Vec<Component<'_>> = (0..subsampling.planes())
            .map(|index| {
                let luma = index == 0;
                let (blocks, factors) = if luma { ((h, v), (1, 1)) } else { ((1, 1), (h, v)) };
                // libjpeg fills up with the last column before it halves chroma
                // but with the last row after: it matters in the blocks that
                // reach over the lower edge.
                let mut rows = grid::taps(&mosaic.rows, factors.1, mosaic.height().div_ceil(factors.1));
                rows.resize((down * blocks.1 * 8) as usize, rows[rows.len() - 1]);
                Component {
                    cells: ycc.iter().map(|cell| cell[index]).collect(),
                    cells_across: mosaic.columns.len() - 1,
                    quantisation: &quantisation[index.min(1)],
                    table: if luma { 0 } else { 2 },
                    blocks: (blocks.0 as usize, blocks.1 as usize),
                    columns: grid::taps(&mosaic.columns, factors.0, across * blocks.0 * 8),
                    rows,
                }
            })
            .collect();
        let across = runs(across as usize, &components, |c| (&c.columns, c.blocks.0));
        let down = runs(down as usize, &components, |c| (&c.rows, c.blocks.1));
        let mut scan = Self::default();
        let mut before = [0; 3];
        for (row, times) in down {
            before = scan.push_row(row, times, &across, &components, before);
        }
        scan
    }

    /// Appends the MCU row `row` `times` times; `before` are the DC
    /// coefficients that it follows on. Returns those that follow on it.
    fn push_row(
        &mut self,
        row: usize,
        times: usize,
        runs: &[(usize, usize)],
        components: &[Component<'_>],
        mut before: [i16; 3],
    ) -> [i16; 3] {
        let mut stretches = Vec::new();
        let mut acs = Vec::new();
        let mut head = Vec::new();
        for &(column, count) in runs {
            acs.clear();
            let mcu: Vec<Block> = components
                .iter()
                .enumerate()
                .flat_map(|(index, component)| {
                    let (h, v) = component.blocks;
                    (0..h * v)
                        .map(move |block| (index, component, column * h + block % h, row * v + block / h))
                })
                .map(|(index, component, x, y)| component.block(index, x, y, &mut acs))
                .collect();
            let first = self.push_mcu(&mcu, &acs, components, &mut before);
            stretches.push(Stretch { tokens: first, times: 1 });
            if count > 1 {
                let rest = self.push_mcu(&mcu, &acs, components, &mut before);
                stretches.push(Stretch { tokens: rest, times: count - 1 });
            }
            if head.is_empty() {
                head = mcu;
            }
        }
        let end = before;
        let Some(first) = stretches.first().cloned() else { return end };
        self.rows.push(Rows { stretches: stretches.clone(), times: 1 });
        if times > 1 {
            stretches[0].tokens = self.push_following(first.tokens, &head, components, end);
            self.rows.push(Rows { stretches, times: times - 1 });
        }
        end
    }

    fn push_mcu(
        &mut self,
        mcu: &[Block],
        acs: &[Token],
        components: &[Component<'_>],
        before: &mut [i16; 3],
    ) -> Range<usize> {
        let start = self.tokens.len();
        for block in mcu {
            let last = &mut before[block.component];
            self.tokens.push(Token::new(components[block.component].table, 0, block.dc - *last));
            *last = block.dc;
            self.tokens.extend_from_slice(&acs[block.ac.clone()]);
        }
        start..self.tokens.len()
    }

    /// The MCU whose tokens are `tokens`, following on other DC coefficients.
    fn push_following(
        &mut self,
        tokens: Range<usize>,
        mcu: &[Block],
        components: &[Component<'_>],
        mut before: [i16; 3],
    ) -> Range<usize> {
        let start = self.tokens.len();
        self.tokens.extend_from_within(tokens);
        let mut blocks = mcu.iter();
        for token in &mut self.tokens[start..] {
            if token.table % 2 == 0
                && let Some(block) = blocks.next()
            {
                let last = &mut before[block.component];
                *token = Token::new(components[block.component].table, 0, block.dc - *last);
                *last = block.dc;
            }
        }
        start..self.tokens.len()
    }

    /// The best Huffman tables: DC and AC of luma, DC and AC of chroma.
    fn tables(&self) -> [Table; 4] {
        let mut counts = [[0u64; 256]; 4];
        for rows in &self.rows {
            for stretch in &rows.stretches {
                let times = (stretch.times * rows.times) as u64;
                for token in &self.tokens[stretch.tokens.clone()] {
                    counts[usize::from(token.table)][usize::from(token.symbol)] += times;
                }
            }
        }
        counts.each_ref().map(Table::optimal)
    }

    fn bits(&self, tables: &[Table; 4]) -> Bits {
        let mut bits = Bits::default();
        for rows in &self.rows {
            let row = bits.len();
            for stretch in &rows.stretches {
                let start = bits.len();
                for token in &self.tokens[stretch.tokens.clone()] {
                    let (code, length) = tables[usize::from(token.table)].code(token.symbol);
                    let size = usize::from(token.symbol & 15);
                    let value = u64::from(token.value) & ((1 << size) - 1);
                    bits.push(u64::from(code) << size | value, usize::from(length) + size);
                }
                bits.repeat(start, stretch.times - 1);
            }
            bits.repeat(row, rows.times - 1);
        }
        bits
    }
}

/// Runs of MCUs along an axis that show the same: first and count.
fn runs<'a>(
    count: usize,
    components: &'a [Component<'a>],
    axis: impl Fn(&'a Component<'a>) -> (&'a Vec<(u32, u32)>, usize),
) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for mcu in 0..count {
        let same = runs.last().is_some_and(|&(first, _)| {
            components.iter().all(|component| {
                let (taps, blocks) = axis(component);
                let samples = blocks * 8;
                taps[first * samples..(first + 1) * samples] == taps[mcu * samples..(mcu + 1) * samples]
            })
        });
        match runs.last_mut() {
            Some((_, count)) if same => *count += 1,
            _ => runs.push((mcu, 1)),
        }
    }
    runs
}

impl Component<'_> {
    /// Transforms block (`x`, `y`); its AC tokens go to the end of `acs`.
    fn block(&self, component: usize, x: usize, y: usize, acs: &mut Vec<Token>) -> Block {
        let columns = &self.columns[x * 8..x * 8 + 8];
        let rows = &self.rows[y * 8..y * 8 + 8];
        let start = acs.len();
        let end = Token { table: self.table + 1, symbol: 0, value: 0 };
        let one = |taps: &[(u32, u32)]| {
            let cell = taps[0].0;
            taps.iter().all(|&tap| tap == (cell, cell)).then_some(cell as usize)
        };
        if let (Some(column), Some(row)) = (one(columns), one(rows)) {
            acs.push(end);
            let dc = self.quantisation.flat(self.cells[row * self.cells_across + column]);
            return Block { component, dc, ac: start..acs.len() };
        }
        let mut samples = [0; 64];
        let mut previous: Option<(u32, u32)> = None;
        let mut level = true;
        for (y, &taps) in rows.iter().enumerate() {
            if previous == Some(taps) {
                samples.copy_within((y - 1) * 8..y * 8, y * 8);
                continue;
            }
            previous = Some(taps);
            let cells = |row: u32| &self.cells[row as usize * self.cells_across..];
            let (upper, lower) = (cells(taps.0), cells(taps.1));
            for (x, &(left, right)) in columns.iter().enumerate() {
                let (left, right) = (left as usize, right as usize);
                samples[y * 8 + x] = grid::mean([upper[left], upper[right], lower[left], lower[right]], x);
            }
            let row = &samples[y * 8..y * 8 + 8];
            level &= row.iter().all(|sample| sample == &row[0]);
        }
        // Even within one column of cells, samples vary across where they
        // straddle two rows of cells: `grid::mean` rounds by column.
        let varies = match (level, one(rows)) {
            (true, _) => Varies::Down,
            (false, Some(_)) => Varies::Across,
            (false, None) => Varies::Both,
        };
        let (mut dc, mut last) = (0, 0);
        self.quantisation.block(&samples, varies, |position, value| {
            if position == 0 {
                dc = value;
                return;
            }
            let mut zeros = position - last - 1;
            while zeros > 15 {
                acs.push(Token { table: self.table + 1, symbol: 0xf0, value: 0 });
                zeros -= 16;
            }
            acs.push(Token::new(self.table + 1, zeros, value));
            last = position;
        });
        if last < 63 {
            acs.push(end);
        }
        Block { component, dc, ac: start..acs.len() }
    }
}
