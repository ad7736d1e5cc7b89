//! The arithmetic of blocks, sixteen at a time: transforms, quantization and
//! what a reconstruction is worth. Owns the portable form; `avx2` does the same
//! to the last bit.
//!
//! A lane is a block: those of a macroblock side by side, or one block as ten
//! modes predict it. That is why nothing is ever shuffled.

#[cfg(target_arch = "x86_64")]
mod avx2;

use super::blocks::{Blocks, Lanes};
use super::predict::{self, Edge};
use super::quantizer::{Matrix, Prices};
use super::rate::PlaneRates;
use super::tables::ZIGZAG;
#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;

/// What became of sixteen blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trial {
    /// Quantized coefficients.
    pub(super) levels: Blocks,
    /// The samples that a decoder makes.
    pub(super) samples: Blocks,
    /// The sum of squared errors of each block.
    pub(super) squares: [i32; 16],
    /// How far the texture of each block is from the source's; see [`TEXTURE`].
    pub(super) texture: [i32; 16],
    /// Coefficients in coding order up to the last that is not 0.
    pub(super) coded: Lanes,
    /// Coefficients that are not 0, DC aside.
    pub(super) busy: Lanes,
    /// What the levels of each block cost.
    pub(super) bits: [u16; 16],
    /// What each mode of a subblock costs: errors, and bits by their price.
    pub(super) scores: [i32; 16],
}

impl Trial {
    pub(super) const fn new() -> Self {
        Self {
            levels: [[0; 16]; 16],
            samples: [[0; 16]; 16],
            squares: [0; 16],
            texture: [0; 16],
            coded: [0; 16],
            busy: [0; 16],
            bits: [0; 16],
            scores: [0; 16],
        }
    }

    /// Errors and texture of a block.
    pub(super) fn errors(&self, lane: usize, prices: &Prices) -> i64 {
        i64::from(self.squares[lane] + prices.textured(self.texture[lane]))
    }

    /// Fills in `scores`, for modes that cost `bits` themselves.
    #[expect(clippy::inline_always, reason = "for the vectors of whoever calls it")]
    #[inline(always)]
    fn score(&mut self, bits: &[u16; 16], prices: &Prices) {
        for lane in 0..16 {
            let errors = self.squares[lane] + prices.textured(self.texture[lane]);
            let bits = i32::from(bits[lane]) + self.subblock_bits(lane);
            self.scores[lane] = ERROR * errors + prices.subblock * bits;
        }
    }

    /// What a subblock costs beside its mode.
    #[expect(clippy::inline_always, reason = "for the vectors of whoever calls it")]
    #[inline(always)]
    pub(super) fn subblock_bits(&self, lane: usize) -> i32 {
        let penalty = if lane > 0 && self.busy[lane] <= FLAT_SUBBLOCK { FLAT_PENALTY } else { 0 };
        i32::from(self.bits[lane]) + penalty
    }

    /// What the levels of a block cost, one by one.
    fn count(&self, rates: &PlaneRates, neighbours: u8, lane: usize) -> u16 {
        let coded = self.coded[lane] as usize;
        rates.block(neighbours.into(), coded, |at| self.levels[ZIGZAG[at]][lane])
    }
}

/// A squared error's price; bits have their own, see [`Prices`].
pub(super) const ERROR: i32 = 256;

/// What a block without texture must save to be predicted by more than a mean:
/// else flat parts get patterns.
pub(super) const FLAT_PENALTY: i32 = 140;

/// Coefficients, DC aside, of a subblock without texture.
const FLAT_SUBBLOCK: i16 = 3;

/// How the modes of a subblock are weighed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighing<'a> {
    pub(super) matrix: &'a Matrix,
    pub(super) prices: &'a Prices,
    /// What each mode costs in bits / 256.
    pub(super) modes: &'a [u16; 16],
    pub(super) rates: &'a PlaneRates,
    /// Neighbours that have coefficients.
    pub(super) neighbours: u8,
    /// The texture of the source.
    pub(super) texture: i32,
}

/// Weights of a block's Hadamard coefficients: what the eye makes of a texture
/// that is lost. libwebp's, so that its quality numbers mean the same here.
const TEXTURE: [i16; 16] = [38, 32, 20, 9, 32, 28, 17, 7, 20, 17, 10, 4, 9, 7, 4, 2];

/// The largest level that has a code.
const LARGEST: i16 = 2047;

/// Magnitudes of coefficients that are told apart: multiples of 8, and larger.
const MAGNITUDES: u8 = 32;

/// How large coefficients are, in steps of 8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Magnitudes {
    /// How many have the commonest magnitude.
    pub(super) commonest: u32,
    /// The largest magnitude.
    pub(super) largest: u32,
}

/// What the processor at hand does best.
pub(super) trait Kernels: Copy + Sync {
    /// The coefficients of what predictions lack.
    fn forward(self, source: &Blocks, predicted: &Blocks, coefficients: &mut Blocks);

    /// Quantizes; coefficients become what a decoder has of them. Fills in
    /// levels, `coded` and `busy`.
    fn quantize(self, coefficients: &mut Blocks, matrix: &Matrix, trial: &mut Trial);

    /// Reconstructs and measures. Fills in samples and squares, and texture
    /// where `weights`, the source's (see [`Kernels::weigh`]), are given.
    fn reconstruct(
        self,
        source: &Blocks,
        predicted: &Blocks,
        coefficients: &Blocks,
        weights: Option<&[i32; 16]>,
        trial: &mut Trial,
    );

    /// What the levels of each block cost, after so many neighbours (0–2) that
    /// have any. Fills in bits.
    fn count(self, rates: &PlaneRates, neighbours: &[u8; 16], trial: &mut Trial);

    /// The texture of each block.
    fn weigh(self, samples: &Blocks) -> [i32; 16];

    /// One block as every mode predicts it: all of the above, and scores.
    fn subblock(self, source: &Lanes, edge: &Edge, weighing: Weighing<'_>, trial: &mut Trial);

    /// How large the coefficients of each half of the blocks are, or of all of them.
    fn magnitudes(self, coefficients: &Blocks, together: bool) -> [Magnitudes; 2];
}

/// Any processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

/// `first · a + second · b + round`, the last `bits` bits cut off.
fn turned(a: i32, b: i32, (first, second): (i32, i32), round: i32, bits: u32) -> i32 {
    (first * a + second * b + round) >> bits
}

/// A multiplication by √2 · cos(π / 8) of section 14.3.
fn by_cosine(value: i32) -> i32 {
    value + ((value * 20_091) >> 16)
}

/// A multiplication by √2 · sin(π / 8).
fn by_sine(value: i32) -> i32 {
    (value * 35_468) >> 16
}

/// Every lane's sixteen values, turned from and to columns.
fn each_lane(blocks: &Blocks) -> impl Iterator<Item = [i32; 16]> {
    (0..16).map(|lane| std::array::from_fn(|at| i32::from(blocks[at][lane])))
}

fn texture(samples: [i32; 16]) -> i32 {
    let mut rows = [0; 16];
    for (out, row) in rows.as_chunks_mut::<4>().0.iter_mut().zip(samples.as_chunks::<4>().0) {
        *out = hadamard(*row);
    }
    let mut sum = 0;
    for x in 0..4 {
        let column = hadamard([rows[x], rows[4 + x], rows[8 + x], rows[12 + x]]);
        for (y, value) in column.into_iter().enumerate() {
            sum += i32::from(TEXTURE[4 * y + x]) * value.abs();
        }
    }
    sum
}

/// Four values' sums and differences, by how often the sign changes.
pub(super) fn hadamard([a, b, c, d]: [i32; 4]) -> [i32; 4] {
    let (sum, odd, even, difference) = (a + c, b + d, a - c, b - d);
    [sum + odd, even + difference, even - difference, sum - odd]
}

/// Section 14.3's inverse transform, rounded.
fn inverse(coefficients: [i32; 16]) -> [i32; 16] {
    let pass = |[first, second, third, fourth]: [i32; 4]| {
        let (sum, difference) = (first + third, first - third);
        let less = by_sine(second) - by_cosine(fourth);
        let more = by_cosine(second) + by_sine(fourth);
        [sum + more, difference + less, difference - less, sum - more]
    };
    backwards(coefficients, 4, pass)
}

/// A transform of four values undone down the columns and along the rows; `round`
/// is added before the last three bits are cut off.
pub(super) fn backwards(values: [i32; 16], round: i32, pass: impl Fn([i32; 4]) -> [i32; 4]) -> [i32; 16] {
    let mut columns = [[0; 4]; 4];
    for (x, column) in columns.iter_mut().enumerate() {
        *column = pass([0, 4, 8, 12].map(|row| values[row + x]));
    }
    let mut out = [0; 16];
    for (y, row) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let mut values = columns.map(|column| column[y]);
        values[0] += round;
        *row = pass(values).map(|value| value >> 3);
    }
    out
}

fn forward(differences: [i32; 16]) -> [i32; 16] {
    let mut rows = [0; 16];
    for (out, &[a, b, c, d]) in rows.as_chunks_mut::<4>().0.iter_mut().zip(differences.as_chunks::<4>().0) {
        let (outer, inner, bend, tilt) = (a + d, b + c, b - c, a - d);
        *out = [
            (outer + inner) * 8,
            turned(bend, tilt, FORWARD, 1812, 9),
            (outer - inner) * 8,
            turned(tilt, bend, BACKWARD, 937, 9),
        ];
    }
    let mut out = [0; 16];
    for x in 0..4 {
        let [a, b, c, d] = [0, 4, 8, 12].map(|row| rows[row + x]);
        let (outer, inner, bend, tilt) = (a + d, b + c, b - c, a - d);
        out[x] = (outer + inner + 7) >> 4;
        out[4 + x] = turned(bend, tilt, FORWARD, 12_000, 16) + i32::from(tilt != 0);
        out[8 + x] = (outer - inner + 7) >> 4;
        out[12 + x] = turned(tilt, bend, BACKWARD, 51_000, 16);
    }
    out
}

/// √2 · sin(π / 8) and √2 · cos(π / 8) in 12 bits, as libwebp has them.
const FORWARD: (i32, i32) = (2217, 5352);
const BACKWARD: (i32, i32) = (2217, -5352);

impl Kernels for Portable {
    fn forward(self, source: &Blocks, predicted: &Blocks, coefficients: &mut Blocks) {
        for (lane, (source, predicted)) in each_lane(source).zip(each_lane(predicted)).enumerate() {
            let values = forward(std::array::from_fn(|at| source[at] - predicted[at]));
            for (to, value) in coefficients.iter_mut().zip(values) {
                to[lane] = value as i16;
            }
        }
    }

    fn quantize(self, coefficients: &mut Blocks, matrix: &Matrix, trial: &mut Trial) {
        trial.busy = [0; 16];
        for (at, (values, levels)) in coefficients.iter_mut().zip(&mut trial.levels).enumerate() {
            let step = matrix.step(at);
            for ((value, level), busy) in values.iter_mut().zip(levels).zip(&mut trial.busy) {
                let size = u32::from(value.unsigned_abs() + matrix.sharpen[at].unsigned_abs());
                let size = (size * u32::from(step.inverse) + u32::from(step.bias)) >> 17;
                *level = (size as i16).min(LARGEST) * value.signum();
                *value = level.wrapping_mul(step.size);
                *busy += i16::from(at > 0 && *level != 0);
            }
        }
        trial.coded = [0; 16];
        for (before, at) in ZIGZAG.into_iter().enumerate() {
            for (coded, &level) in trial.coded.iter_mut().zip(&trial.levels[at]) {
                if level != 0 {
                    *coded = before as i16 + 1;
                }
            }
        }
    }

    fn reconstruct(
        self,
        source: &Blocks,
        predicted: &Blocks,
        coefficients: &Blocks,
        weights: Option<&[i32; 16]>,
        trial: &mut Trial,
    ) {
        let each = each_lane(source).zip(each_lane(predicted)).zip(each_lane(coefficients));
        for (lane, ((source, predicted), coefficients)) in each.enumerate() {
            let lacking = inverse(coefficients);
            let samples: [i32; 16] = std::array::from_fn(|at| (predicted[at] + lacking[at]).clamp(0, 255));
            for (to, value) in trial.samples.iter_mut().zip(samples) {
                to[lane] = value as i16;
            }
            trial.squares[lane] = samples.iter().zip(source).map(|(a, b)| (a - b).pow(2)).sum();
            if let Some(weights) = weights {
                trial.texture[lane] = (texture(samples) - weights[lane]).abs() >> 5;
            }
        }
    }

    fn count(self, rates: &PlaneRates, neighbours: &[u8; 16], trial: &mut Trial) {
        trial.bits = std::array::from_fn(|lane| trial.count(rates, neighbours[lane], lane));
    }

    fn weigh(self, samples: &Blocks) -> [i32; 16] {
        let mut weights = [0; 16];
        weights.iter_mut().zip(each_lane(samples)).for_each(|(weight, samples)| *weight = texture(samples));
        weights
    }

    fn subblock(self, source: &Lanes, edge: &Edge, weighing: Weighing<'_>, trial: &mut Trial) {
        let source = source.map(|sample| [sample; 16]);
        let predicted = predict::subblock(edge);
        let mut coefficients = [[0; 16]; 16];
        self.forward(&source, &predicted, &mut coefficients);
        self.quantize(&mut coefficients, weighing.matrix, trial);
        self.reconstruct(&source, &predicted, &coefficients, Some(&[weighing.texture; 16]), trial);
        self.count(weighing.rates, &[weighing.neighbours; 16], trial);
        trial.score(weighing.modes, weighing.prices);
    }

    fn magnitudes(self, coefficients: &Blocks, together: bool) -> [Magnitudes; 2] {
        let mut counts = [[0; MAGNITUDES as usize]; 2];
        for lanes in coefficients {
            for (counts, half) in counts.iter_mut().zip(lanes.as_chunks::<8>().0) {
                for value in half {
                    counts[usize::from((value.unsigned_abs() >> 3).min(u16::from(MAGNITUDES) - 1))] += 1;
                }
            }
        }
        if together {
            counts = [std::array::from_fn(|at| counts[0][at] + counts[1][at]); 2];
        }
        counts.map(|counts: [u32; MAGNITUDES as usize]| Magnitudes {
            commonest: counts.into_iter().max().unwrap_or(0),
            largest: counts.iter().rposition(|&count| count > 0).unwrap_or(0) as u32,
        })
    }
}
