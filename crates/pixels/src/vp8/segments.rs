//! Which parts of a picture are quantized how. Owns the analysis: what each
//! macroblock can bear is told from how its coefficients are spread, and four
//! groups are made of all macroblocks.
//!
//! The measure and the grouping are libwebp's (`analysis_enc.c`), so that files are
//! of its size and look at every quality.

use super::blocks::{Blocks, DC, TRUE_MOTION};
use super::borders::{Borders, Edges};
use super::kernels::{Kernels, Magnitudes};
use super::predict::Surroundings;
use super::quantizer::{Character, ChromaShift, SEGMENTS, Segment};
use super::source::{Macroblock, Source};

/// What is known of a picture before it is encoded.
#[derive(Debug)]
pub(super) struct Segments {
    /// The segment of each macroblock.
    pub(super) map: Vec<u8>,
    /// Every segment; those that are the same as one before are in no map.
    pub(super) all: [Segment; SEGMENTS],
    /// How many there are, apart from such.
    pub(super) count: usize,
    pub(super) shift: ChromaShift,
}

/// How easily a spread of coefficients is coded: the larger, the harder.
fn difficulty(magnitudes: Magnitudes) -> i32 {
    if magnitudes.commonest > 1 { (510 * magnitudes.largest / magnitudes.commonest) as i32 } else { 0 }
}

/// What a macroblock can bear (0–255), and its chroma alone (where larger means less).
fn measure(kernels: impl Kernels, source: &Macroblock, borders: &Borders) -> (u8, i32) {
    let mut coefficients = [[0; 16]; 16];
    let (luma, around) = (source.luma_blocks(), borders.luma());
    let hardest = [DC, TRUE_MOTION].map(|mode| {
        kernels.forward(&luma, &around.predict(mode), &mut coefficients);
        difficulty(kernels.magnitudes(&coefficients, true)[0])
    });
    let (chroma, around) = (source.chroma_blocks(), borders.chroma());
    let predicted = both(&around, DC, TRUE_MOTION);
    kernels.forward(&chroma, &predicted, &mut coefficients);
    let coloured = kernels.magnitudes(&coefficients, false).map(difficulty);
    let coloured = coloured[0].max(coloured[1]);
    let mixed = (3 * hardest[0].max(hardest[1]) + coloured + 2) >> 2;
    ((255 - mixed).clamp(0, 255) as u8, coloured)
}

/// What `first` predicts in the first eight lanes, and `second` in the others.
pub(super) fn both(around: &Surroundings, first: u8, second: u8) -> Blocks {
    let mut blocks = around.predict(first);
    for (lanes, others) in blocks.iter_mut().zip(around.predict(second)) {
        lanes[8..].copy_from_slice(&others[8..]);
    }
    blocks
}

impl Segments {
    /// Looks at every macroblock of `source`.
    pub(super) fn of(kernels: impl Kernels, source: &Source<'_>, quality: u8) -> Self {
        let mut borders = Borders::new(source.columns);
        let mut macroblock = Macroblock::new();
        let mut bears = Vec::with_capacity(source.columns * source.rows);
        let mut coloured = 0_i64;
        for y in 0..source.rows {
            borders.start_row(y);
            for x in 0..source.columns {
                source.read(x, y, &mut macroblock);
                let (alpha, chroma) = measure(kernels, &macroblock, &borders);
                bears.push(alpha);
                coloured += i64::from(chroma);
                // As if nothing were lost.
                borders.leave(&Edges::of(&macroblock));
            }
        }
        let shift = ChromaShift::of((coloured / bears.len().max(1) as i64) as i32);
        let mut histogram = [0_i32; 256];
        for &alpha in &bears {
            histogram[usize::from(alpha)] += 1;
        }
        let groups = Groups::of(&histogram);
        let characters = groups.characters();
        let segments = characters.map(|character| Segment::new(quality, character, shift));
        Self::distinct(
            segments,
            bears.into_iter().map(|alpha| groups.of[usize::from(alpha)]).collect(),
            shift,
        )
    }

    /// Makes one of segments that are the same.
    fn distinct(all: [Segment; SEGMENTS], mut map: Vec<u8>, shift: ChromaShift) -> Self {
        let alike = |a: &Segment, b: &Segment| (a.index, a.filter) == (b.index, b.filter);
        let mut kept: Vec<Segment> = Vec::with_capacity(SEGMENTS);
        let renamed = all.map(|segment| {
            let place = kept.iter().position(|other| alike(&segment, other));
            place.unwrap_or_else(|| {
                kept.push(segment);
                kept.len() - 1
            }) as u8
        });
        let count = kept.len();
        for segment in &mut map {
            *segment = renamed[usize::from(*segment)];
        }
        let all = std::array::from_fn(|at| kept[at.min(count - 1)].clone());
        Self { map, all, count, shift }
    }
}

/// Values in four groups by nearness.
struct Groups {
    centres: [i32; SEGMENTS],
    /// The mean of all values.
    mean: i32,
    /// The group of each value.
    of: [u8; 256],
}

impl Groups {
    /// k-means, from centres that are evenly spread.
    fn of(histogram: &[i32; 256]) -> Self {
        let lowest = histogram.iter().position(|&count| count > 0).unwrap_or(0);
        let highest = histogram.iter().rposition(|&count| count > 0).unwrap_or(0);
        let range = (highest - lowest) as i32;
        let mut centres = std::array::from_fn(|at| lowest as i32 + (2 * at as i32 + 1) * range / 8);
        let (mut of, mut mean) = ([0; 256], 0);
        for _ in 0..6 {
            let mut sums = [(0_i64, 0_i64); SEGMENTS];
            let mut group = 0;
            for (value, &count) in histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
                let far = |centre: i32| (value as i32 - centre).abs();
                while group + 1 < SEGMENTS && far(centres[group + 1]) < far(centres[group]) {
                    group += 1;
                }
                of[value] = group as u8;
                sums[group].0 += value as i64 * i64::from(count);
                sums[group].1 += i64::from(count);
            }
            let (mut moved, mut total, mut all) = (0, 0, 0);
            for (centre, (sum, count)) in centres.iter_mut().zip(sums).filter(|(_, (_, count))| *count > 0) {
                let to = ((sum + count / 2) / count) as i32;
                moved += (*centre - to).abs();
                *centre = to;
                total += i64::from(to) * count;
                all += count;
            }
            mean = ((total + all / 2) / all.max(1)) as i32;
            if moved < 5 {
                break;
            }
        }
        Self { centres, mean, of }
    }

    fn characters(&self) -> [Character; SEGMENTS] {
        let lowest = self.centres.into_iter().min().unwrap_or(0);
        let highest = self.centres.into_iter().max().unwrap_or(0);
        let range = (highest - lowest).max(1);
        self.centres.map(|centre| Character {
            bears: (255 * (centre - self.mean) / range).clamp(-127, 127),
            above: (255 * (centre - lowest) / range).clamp(0, 255),
        })
    }
}
