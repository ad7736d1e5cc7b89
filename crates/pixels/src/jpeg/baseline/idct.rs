//! The inverse DCT, whole and reduced: coefficients to samples.
//!
//! Owns the arithmetic of libjpeg's accurate integer methods, to the last bit:
//! Loeffler, Ligtenberg and Moschytz in 13 bits of fraction for whole blocks
//! (jidctint.c), and its reductions to 4 × 4, 2 × 2 and 1 × 1 samples
//! (jidctred.c). This is the portable form; `avx2` does the same.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod weights;

use super::entropy::{Block, Blocks};
use super::tables::Component;
use crate::geometry::Scale;
use archmage::prelude::*;
use weights::{BETWEEN, EVEN, FRACTION, ODD, TO_FOUR, flat, rounded, sample};

/// Makes the samples of a row of MCUs: `out` has rows of `stride` samples, as
/// long as all blocks side by side.
pub(super) fn reconstruct(
    scale: Scale,
    component: &Component,
    blocks: &Blocks,
    out: &mut [u8],
    stride: usize,
) {
    let rows = (8 / scale.denominator()) as usize;
    let count = (blocks.coefficients.len() / component.down).max(1);
    let lines = blocks.coefficients.chunks(count).zip(blocks.last.chunks(count));
    for ((line, last), out) in lines.zip(out.chunks_mut(rows * stride)) {
        let steps = &component.quantization;
        match scale {
            Scale::Full => incant!(whole(line, last, steps, out, stride), [v3, scalar]),
            Scale::Half => incant!(half(line, steps, out, stride), [v3, scalar]),
            Scale::Quarter => incant!(quarter(line, steps, out), [v3, scalar]),
            Scale::Eighth => {
                for (to, block) in out.iter_mut().zip(line) {
                    *to = flat(block, steps);
                }
            }
        }
    }
}

/// The same in 16 bits, as vectors have it: only what no picture was encoded to is
/// larger, and it is to look the same on every processor.
fn narrowed(value: i32, bits: u32) -> i32 {
    rounded(value, bits).clamp(i16::MIN.into(), i16::MAX.into())
}

/// Coefficients times their steps.
fn scaled(block: &Block, steps: &Block) -> [[i32; 8]; 8] {
    let mut rows = [[0; 8]; 8];
    let values = block.iter().zip(steps).map(|(&value, &step)| i32::from(value.wrapping_mul(step)));
    rows.as_flattened_mut().iter_mut().zip(values).for_each(|(to, value)| *to = value);
    rows
}

fn turned(rows: &[[i32; 8]; 8]) -> [[i32; 8]; 8] {
    std::array::from_fn(|y| std::array::from_fn(|x| rows[x][y]))
}

/// Sums of `values` by `weights`, in each of eight lanes.
fn mixed<const N: usize>(values: [&[i32; 8]; N], weights: [i32; N]) -> [i32; 8] {
    let mut sums = [0_i32; 8];
    for (values, weight) in values.into_iter().zip(weights) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum = sum.wrapping_add(value.wrapping_mul(weight));
        }
    }
    sums
}

/// One pass down eight columns.
fn pass(rows: &[[i32; 8]; 8], bits: u32) -> [[i32; 8]; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let mut out = [[0; 8]; 8];
    for (at, even) in EVEN.into_iter().enumerate() {
        let even = mixed([r0, r2, r4, r6], even);
        let odd = mixed([r7, r5, r3, r1], ODD[at]);
        for lane in 0..8 {
            out[at][lane] = narrowed(even[lane].wrapping_add(odd[lane]), bits);
            out[7 - at][lane] = narrowed(even[lane].wrapping_sub(odd[lane]), bits);
        }
    }
    out
}

fn whole_scalar(_: ScalarToken, line: &[Block], last: &[u8], steps: &Block, out: &mut [u8], stride: usize) {
    for (at, (block, &last)) in line.iter().zip(last).enumerate() {
        let rows = out[at * 8..].chunks_mut(stride).take(8);
        if last == 0 {
            let value = flat(block, steps);
            rows.for_each(|row| row[..8].fill(value));
            continue;
        }
        let columns = pass(&scaled(block, steps), FRACTION - BETWEEN);
        let samples = turned(&pass(&turned(&columns), FRACTION + BETWEEN + 3));
        for (row, samples) in rows.zip(samples) {
            row[..8].iter_mut().zip(samples).for_each(|(to, value)| *to = (value + 128).clamp(0, 255) as u8);
        }
    }
}

fn half_scalar(_: ScalarToken, line: &[Block], steps: &Block, out: &mut [u8], stride: usize) {
    let four = |rows: &[[i32; 8]; 8], bits: u32| {
        let [r0, r1, r2, r3, _, r5, r6, r7] = rows;
        let odd = [r1, r3, r5, r7];
        let mut out = [[0; 8]; 8];
        for (at, (sign, odd)) in
            [(1, mixed(odd, TO_FOUR.0)), (-1, mixed(odd, TO_FOUR.1))].into_iter().enumerate()
        {
            let even = mixed([r0, r2, r6], [1 << (FRACTION + 1), sign * 15_137, sign * -6270]);
            for lane in 0..8 {
                out[at][lane] = narrowed(even[lane].wrapping_add(odd[lane]), bits);
                out[3 - at][lane] = narrowed(even[lane].wrapping_sub(odd[lane]), bits);
            }
        }
        out
    };
    for (at, block) in line.iter().enumerate() {
        let columns = four(&scaled(block, steps), FRACTION - BETWEEN + 1);
        let samples = turned(&four(&turned(&columns), FRACTION + BETWEEN + 4));
        for (row, samples) in out[at * 4..].chunks_mut(stride).zip(samples).take(4) {
            row[..4].iter_mut().zip(samples).for_each(|(to, value)| *to = (value + 128).clamp(0, 255) as u8);
        }
    }
}

/// What the odd rows (1, 3, 5, 7) add to the first of two outputs.
const TO_TWO: [i32; 4] = [29_692, -10_426, 6967, -5906];

#[expect(clippy::inline_always, reason = "only what is inlined is compiled for its caller's processor")]
#[inline(always)]
fn two(line: &[Block], steps: &Block, out: &mut [u8]) {
    let stride = out.len() / 2;
    let (upper, lower) = out.split_at_mut(stride);
    let pairs = upper.as_chunks_mut::<2>().0.iter_mut().zip(lower.as_chunks_mut::<2>().0);
    for (block, (upper, lower)) in line.iter().zip(pairs) {
        let [r0, r1, _, r3, _, r5, _, r7] = &scaled(block, steps);
        let odd = mixed([r1, r3, r5, r7], TO_TWO);
        let pass = |sign: i32, row: &mut [u8; 2]| {
            let columns: [i32; 8] = std::array::from_fn(|x| {
                let even = r0[x] << (FRACTION + 2);
                rounded(even.wrapping_add(odd[x].wrapping_mul(sign)), FRACTION - BETWEEN + 2)
            });
            let odd = [1, 3, 5, 7].map(|x| columns[x]).into_iter().zip(TO_TWO);
            let odd = odd.fold(0_i32, |sum, (value, weight)| sum.wrapping_add(value.wrapping_mul(weight)));
            let even = columns[0] << (FRACTION + 2);
            let bits = FRACTION + BETWEEN + 5;
            *row = [sample(even.wrapping_add(odd), bits), sample(even.wrapping_sub(odd), bits)];
        };
        pass(1, upper);
        pass(-1, lower);
    }
}

fn quarter_scalar(_: ScalarToken, line: &[Block], steps: &Block, out: &mut [u8]) {
    two(line, steps, out);
}

#[cfg(target_arch = "x86_64")]
#[arcane]
fn quarter_v3(_: X64V3Token, line: &[Block], steps: &Block, out: &mut [u8]) {
    two(line, steps, out);
}

#[cfg(target_arch = "x86_64")]
use avx2::{half_v3, whole_v3};
