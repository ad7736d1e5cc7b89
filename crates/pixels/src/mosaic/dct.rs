//! The forward DCT and quantisation of one block, bit for bit what
//! libjpeg-turbo computes, so that a flat-cell JPEG decodes to the same pixels
//! as the expanded picture would.
//!
//! The transform is the 11-multiplication one of Loeffler, Ligtenberg and
//! Moschytz (ICASSP 1989) in 13-bit fixed point, columns kept 2 bits finer
//! between the passes, results 8 times the orthonormal ones ("islow").

use crate::jpeg::ZIGZAG;

/// Base tables of ITU-T T.81 annex K.1, row by row: luminance, chrominance.
const BASE: [[u16; 64]; 2] = [
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14,
        17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49,
        64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ],
    [
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47,
        66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    ],
];

/// A quantisation table, in zigzag order.
#[derive(Debug, Clone)]
pub(super) struct Quantisation {
    steps: [u16; 64],
    /// ⌈2³² / (8 · step)⌉: division by multiplication, exact for dividends
    /// below 2¹⁶ (the error of the reciprocal is below 2⁻¹⁶ of a quotient's
    /// distance to the next).
    reciprocals: [u32; 64],
}

/// What a block's coefficients can be other than zero, given that its samples
/// do not change along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Varies {
    /// Every row is the same: only the first row of coefficients.
    Across,
    /// Every column is the same: only the first column of coefficients.
    Down,
    /// All of them.
    Both,
}

/// Zigzag positions of the first row and of the first column.
const FIRST_ROW: [u8; 8] = [0, 1, 5, 6, 14, 15, 27, 28];
const FIRST_COLUMN: [u8; 8] = [0, 2, 3, 9, 10, 20, 21, 35];

impl Quantisation {
    /// Luminance or chrominance at libjpeg's `quality` 1–100.
    pub(super) fn new(chroma: bool, quality: u8) -> Self {
        let quality = u32::from(quality.clamp(1, 100));
        let percent = if quality < 50 { 5000 / quality } else { 200 - quality * 2 };
        let base = &BASE[usize::from(chroma)];
        let steps = ZIGZAG
            .map(|index| ((u32::from(base[usize::from(index)]) * percent + 50) / 100).clamp(1, 255) as u16);
        let reciprocals = steps.map(|step| (1u64 << 32).div_ceil(u64::from(step) * 8) as u32);
        Self { steps, reciprocals }
    }

    /// As in a DQT segment.
    pub(super) fn zigzag(&self) -> [u8; 64] {
        self.steps.map(|step| step as u8)
    }

    /// The DC coefficient of a block whose samples are all `sample`.
    pub(super) fn flat(&self, sample: u8) -> i16 {
        self.divide((i32::from(sample) - 128) * 64, 0)
    }

    /// Calls `each` with position in zigzag order and quantised value of every
    /// coefficient that is not zero, in that order. Of samples that vary along
    /// one axis, only the first row or column is read.
    pub(super) fn block(&self, samples: &[u8; 64], varies: Varies, mut each: impl FnMut(u8, i16)) {
        let (line, positions) = match varies {
            Varies::Across => ([0, 1, 2, 3, 4, 5, 6, 7].map(|x| centred(samples[x])), FIRST_ROW),
            Varies::Down => ([0, 1, 2, 3, 4, 5, 6, 7].map(|y| centred(samples[y * 8])), FIRST_COLUMN),
            Varies::Both => {
                let mut data = samples.map(centred);
                transform(&mut data);
                // Without branches first: most of the 64 are zero.
                let mut values = [0; 64];
                let mut mask = 0u64;
                for (position, (value, &index)) in values.iter_mut().zip(&ZIGZAG).enumerate() {
                    *value = self.divide(data[usize::from(index & 63)], position);
                    mask |= u64::from(*value != 0) << position;
                }
                while mask != 0 {
                    let position = mask.trailing_zeros() as usize;
                    each(position as u8, values[position]);
                    mask &= mask - 1;
                }
                return;
            }
        };
        let line = if varies == Varies::Across { across(line) } else { down(line) };
        for (&coefficient, position) in line.iter().zip(positions) {
            let value = self.divide(coefficient, usize::from(position));
            if value != 0 {
                each(position, value);
            }
        }
    }

    /// Division by 8 times the step, rounded to nearest, halves away from zero.
    fn divide(&self, coefficient: i32, position: usize) -> i16 {
        let half = u32::from(self.steps[position]) * 4;
        let dividend = u64::from(coefficient.unsigned_abs() + half);
        let magnitude = (dividend * u64::from(self.reciprocals[position])) >> 32;
        magnitude as i16 * coefficient.signum() as i16
    }
}

fn centred(sample: u8) -> i32 {
    i32::from(sample) - 128
}

/// Fractional bits of the constants.
const BITS: u32 = 13;
/// Fractional bits kept between the passes.
const PASS: u32 = 2;

/// round(x · 2¹³)
const fn fixed(x: f64) -> i32 {
    (x * 8192.0 + 0.5) as i32
}

const C_0_298: i32 = fixed(0.298_631_336);
const C_0_390: i32 = fixed(0.390_180_644);
const C_0_541: i32 = fixed(0.541_196_100);
const C_0_765: i32 = fixed(0.765_366_865);
const C_0_899: i32 = fixed(0.899_976_223);
const C_1_175: i32 = fixed(1.175_875_602);
const C_1_501: i32 = fixed(1.501_321_110);
const C_1_847: i32 = fixed(1.847_759_065);
const C_1_961: i32 = fixed(1.961_570_560);
const C_2_053: i32 = fixed(2.053_119_869);
const C_2_562: i32 = fixed(2.562_915_447);
const C_3_072: i32 = fixed(3.072_711_026);

fn transform(data: &mut [i32; 64]) {
    let mut above = None;
    for row in data.as_chunks_mut::<8>().0 {
        // Most rows of a block repeat the one above.
        *row = match above {
            Some((samples, result)) if samples == *row => result,
            _ => {
                let result = first_pass(*row);
                above = Some((*row, result));
                result
            }
        };
    }
    for x in 0..8 {
        let column = [0, 1, 2, 3, 4, 5, 6, 7].map(|y| data[y * 8 + x]);
        for (y, value) in second_pass(column).into_iter().enumerate() {
            data[y * 8 + x] = value;
        }
    }
}

/// Coefficients of the first row, of eight rows like `row`.
fn across(row: [i32; 8]) -> [i32; 8] {
    // Down eight equal values only the sum is left.
    first_pass(row).map(|value| descale(value * 8, PASS))
}

/// Coefficients of the first column, of eight columns like `column`.
fn down(column: [i32; 8]) -> [i32; 8] {
    second_pass(column.map(|value| (value * 8) << PASS))
}

fn first_pass(row: [i32; 8]) -> [i32; 8] {
    let [even, odd] = butterfly(row);
    let [e2, e6] = [even[2], even[3]].map(|value| descale(value, BITS - PASS));
    let [o1, o3, o5, o7] = odd.map(|value| descale(value, BITS - PASS));
    [even[0] << PASS, o1, e2, o3, even[1] << PASS, o5, e6, o7]
}

fn second_pass(column: [i32; 8]) -> [i32; 8] {
    let [even, odd] = butterfly(column);
    let [e0, e4] = [even[0], even[1]].map(|value| descale(value, PASS));
    let [e2, e6] = [even[2], even[3]].map(|value| descale(value, BITS + PASS));
    let [o1, o3, o5, o7] = odd.map(|value| descale(value, BITS + PASS));
    [e0, o1, e2, o3, e4, o5, e6, o7]
}

const fn descale(value: i32, bits: u32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

/// One dimension: outputs 0, 4 (unscaled), 2, 6 (13 fractional bits); and 1, 3,
/// 5, 7 (13 fractional bits).
fn butterfly(s: [i32; 8]) -> [[i32; 4]; 2] {
    let [a0, a1, a2, a3] = [s[0] + s[7], s[1] + s[6], s[2] + s[5], s[3] + s[4]];
    let [d0, d1, d2, d3] = [s[0] - s[7], s[1] - s[6], s[2] - s[5], s[3] - s[4]];
    let (e0, e3, e1, e2) = (a0 + a3, a0 - a3, a1 + a2, a1 - a2);
    let shared = (e2 + e3) * C_0_541;
    let even = [e0 + e1, e0 - e1, shared + e3 * C_0_765, shared - e2 * C_1_847];

    let z5 = (d3 + d1 + d2 + d0) * C_1_175;
    let z1 = -(d3 + d0) * C_0_899;
    let z2 = -(d2 + d1) * C_2_562;
    let z3 = z5 - (d3 + d1) * C_1_961;
    let z4 = z5 - (d2 + d0) * C_0_390;
    let odd =
        [d0 * C_1_501 + z1 + z4, d1 * C_3_072 + z2 + z3, d2 * C_2_053 + z2 + z4, d3 * C_0_298 + z1 + z3];
    [even, odd]
}
