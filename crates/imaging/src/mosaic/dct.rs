//! The forward DCT and quantisation of one block, bit for bit what
//! libjpeg-turbo computes, so that a flat-cell JPEG decodes to the same pixels
//! as the expanded picture would.
//!
//! The transform is the 11-multiplication one of Loeffler, Ligtenberg and
//! Moschytz (ICASSP 1989) in 13-bit fixed point, columns kept 2 bits finer
//! between the passes, results 8 times the orthonormal ones ("islow").

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

/// Natural index of the k-th coefficient in zigzag order (T.81 figure A.6).
const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A quantisation table, in natural order.
#[derive(Debug, Clone)]
pub(super) struct Quantisation([u16; 64]);

impl Quantisation {
    /// Luminance or chrominance at libjpeg's `quality` 1–100.
    pub(super) fn new(chroma: bool, quality: u8) -> Self {
        let quality = u32::from(quality.clamp(1, 100));
        let percent = if quality < 50 { 5000 / quality } else { 200 - quality * 2 };
        Self(
            BASE[usize::from(chroma)]
                .map(|base| ((u32::from(base) * percent + 50) / 100).clamp(1, 255) as u16),
        )
    }

    /// In zigzag order, as in a DQT segment.
    pub(super) fn zigzag(&self) -> [u8; 64] {
        ZIGZAG.map(|index| self.0[usize::from(index)] as u8)
    }

    /// The DC coefficient of a block whose samples are all `sample`.
    pub(super) fn flat(&self, sample: u8) -> i16 {
        divide((i32::from(sample) - 128) * 64, self.0[0])
    }

    /// The quantised coefficients of a block of samples, in zigzag order.
    pub(super) fn block(&self, samples: &[u8; 64]) -> [i16; 64] {
        let mut data = samples.map(|sample| i32::from(sample) - 128);
        transform(&mut data);
        ZIGZAG.map(|index| divide(data[usize::from(index)], self.0[usize::from(index)]))
    }
}

/// Division by 8 times the step, rounded to nearest, halves away from zero.
fn divide(coefficient: i32, step: u16) -> i16 {
    let divisor = i32::from(step) * 8;
    let magnitude = (coefficient.abs() + divisor / 2) / divisor;
    (magnitude * coefficient.signum()) as i16
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
    for row in data.as_chunks_mut::<8>().0 {
        let [even, odd] = butterfly(*row);
        row[0] = (even[0]) << PASS;
        row[4] = (even[1]) << PASS;
        row[2] = descale(even[2], BITS - PASS);
        row[6] = descale(even[3], BITS - PASS);
        for (k, value) in odd.into_iter().enumerate() {
            row[2 * k + 1] = descale(value, BITS - PASS);
        }
    }
    for x in 0..8 {
        let column = [0, 1, 2, 3, 4, 5, 6, 7].map(|y| data[y * 8 + x]);
        let [even, odd] = butterfly(column);
        data[x] = descale(even[0], PASS);
        data[32 + x] = descale(even[1], PASS);
        data[16 + x] = descale(even[2], BITS + PASS);
        data[48 + x] = descale(even[3], BITS + PASS);
        for (k, value) in odd.into_iter().enumerate() {
            data[(2 * k + 1) * 8 + x] = descale(value, BITS + PASS);
        }
    }
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
