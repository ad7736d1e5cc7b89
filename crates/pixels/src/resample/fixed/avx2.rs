//! The kernels of `fixed` for processors with AVX2.

use super::kernels::{self, Across, Kernels, LANES, Lanes, Line, Portable};
use crate::lanes::riffled;
use archmage::prelude::*;

/// The proof that this processor has AVX2.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(X64V3Token);

impl Avx2 {
    /// `None` where it has not.
    pub(super) fn summon() -> Option<Self> {
        X64V3Token::summon().map(Self)
    }
}

impl Kernels for Avx2 {
    fn widen(self, samples: &[u8], stride: usize, count: usize, wide: &mut [Line]) {
        widen(self.0, samples, stride, count, wide);
    }

    fn mix(self, wide: &[Line], weights: &[i16], mixed: &mut Line) {
        mix(self.0, wide, weights, mixed);
    }

    fn turn(self, mixed: &[Line; LANES], turned: &mut [Lanes]) {
        turn(self.0, mixed, turned);
    }

    fn across(self, across: &Across<'_>, turned: &[Lanes], target: &mut [u8], stride: usize, count: usize) {
        match across.channels {
            1 => across_many::<1>(self.0, across, turned, target, stride, count),
            3 => across_many::<3>(self.0, across, turned, target, stride, count),
            _ => Portable.across(across, turned, target, stride, count),
        }
    }
}

#[arcane]
fn widen(_: X64V3Token, samples: &[u8], stride: usize, count: usize, wide: &mut [Line]) {
    kernels::widen(samples, stride, count, wide);
}

/// 64 columns of sums stay in registers for all lines.
#[arcane(import_intrinsics)]
fn mix(_: X64V3Token, wide: &[Line], weights: &[i16], mixed: &mut Line) {
    for (part, mixed) in mixed.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let mut sums = [_mm256_setzero_si256(); 4];
        for (line, &weight) in wide.iter().zip(weights) {
            let weight = _mm256_set1_epi16(weight);
            let line = &line.as_chunks::<64>().0[part];
            for (sum, samples) in sums.iter_mut().zip(line.as_chunks::<16>().0) {
                let product = _mm256_mulhrs_epi16(_mm256_loadu_si256(samples), weight);
                *sum = _mm256_adds_epi16(*sum, product);
            }
        }
        for (to, sum) in mixed.as_chunks_mut::<16>().0.iter_mut().zip(sums) {
            _mm256_storeu_si256(to, sum);
        }
    }
}

/// Turns a block over.
#[arcane(import_intrinsics)]
fn turn(_: X64V3Token, mixed: &[Line; LANES], turned: &mut [Lanes]) {
    let (upper, lower) = mixed.split_at(LANES / 2);
    for (part, to) in turned.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let mut block = [_mm256_setzero_si256(); 8];
        for ((vector, upper), lower) in block.iter_mut().zip(upper).zip(lower) {
            let [upper, lower] = [upper, lower].map(|line| _mm_loadu_si128(&line.as_chunks::<8>().0[part]));
            *vector = _mm256_set_m128i(lower, upper);
        }
        for (to, vector) in to.iter_mut().zip(riffled(block)) {
            _mm256_storeu_si256(to, vector);
        }
    }
}

#[arcane(import_intrinsics)]
fn across_many<const CHANNELS: usize>(
    _: X64V3Token,
    across: &Across<'_>,
    turned: &[Lanes],
    target: &mut [u8],
    stride: usize,
    count: usize,
) {
    let taps = across.taps;
    let width = across.windows.len() * CHANNELS;
    let mut block = [[0_i16; LANES]; LANES];
    let mut filled = 0;
    let mut at = 0;
    for (&(start, _), weights) in across.windows.iter().zip(across.weights.chunks_exact(taps)) {
        let lanes = &turned[start as usize * CHANNELS..][..taps * CHANNELS];
        let mut sums = [_mm256_setzero_si256(); CHANNELS];
        for (lanes, weight) in lanes.as_chunks::<CHANNELS>().0.iter().zip(weights) {
            let [low, high] = *weight;
            let weight = _mm256_set1_epi32(i32::from(high) << 16 | i32::from(low.cast_unsigned()));
            for (sum, lanes) in sums.iter_mut().zip(lanes) {
                let product = _mm256_mulhrs_epi16(_mm256_loadu_si256(lanes), weight);
                *sum = _mm256_adds_epi16(*sum, product);
            }
        }
        for sum in sums {
            _mm256_storeu_si256(&mut block[filled], sum);
            filled += 1;
            if filled == LANES {
                store(&block, &mut target[at..], stride, count, LANES);
                (filled, at) = (0, at + LANES);
            }
        }
    }
    if filled > 0 {
        store(&block, &mut target[at..], stride, count, width - at);
    }
}

/// Turns `block` back, rounds it to 8 bits and stores the first `length`
/// samples of `count` rows.
#[rite(v3, import_intrinsics)]
fn store(block: &[Lanes; LANES], target: &mut [u8], stride: usize, count: usize, length: usize) {
    let (left, right) = block.split_at(LANES / 2);
    let mut rows = target.chunks_mut(stride).take(count);
    for half in 0..2 {
        let mut vectors = [_mm256_setzero_si256(); 8];
        for ((vector, left), right) in vectors.iter_mut().zip(left).zip(right) {
            let [left, right] = [left, right].map(|lanes| _mm_loadu_si128(&lanes.as_chunks::<8>().0[half]));
            let both = _mm256_set_m128i(right, left);
            *vector = _mm256_srai_epi16::<6>(_mm256_adds_epi16(both, _mm256_set1_epi16(1 << 5)));
        }
        for [first, second] in riffled(vectors).as_chunks::<2>().0 {
            let pair = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(*first, *second));
            let pair = _mm256_xor_si256(pair, _mm256_set1_epi8(-128));
            for samples in [_mm256_castsi256_si128(pair), _mm256_extracti128_si256::<1>(pair)] {
                let Some(row) = rows.next() else { return };
                if length == LANES
                    && let Some(row) = row.first_chunk_mut::<LANES>()
                {
                    _mm_storeu_si128(row, samples);
                } else {
                    let mut bytes = [0_u8; LANES];
                    _mm_storeu_si128(&mut bytes, samples);
                    row[..length].copy_from_slice(&bytes[..length]);
                }
            }
        }
    }
}
