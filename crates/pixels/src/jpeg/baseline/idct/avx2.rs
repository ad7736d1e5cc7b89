//! The inverse DCT for processors with AVX2: two blocks at once, one in each
//! half of the vectors.

use super::weights::{BETWEEN, EVEN, FRACTION, ODD, TO_FOUR, flat};
use crate::jpeg::baseline::entropy::Block;
use crate::lanes::riffled;
use archmage::prelude::*;

/// Two weights, as `madd` wants them for two rows that were riffled.
#[rite(v3, import_intrinsics)]
fn pair(first: i32, second: i32) -> __m256i {
    _mm256_set1_epi32(second << 16 | first & 0xffff)
}

/// The same row of two blocks, multiplied by the steps.
#[rite(v3, import_intrinsics)]
fn rows(blocks: [&Block; 2], steps: &Block) -> [__m256i; 8] {
    let [first, second] = [blocks[0].as_chunks::<8>().0, blocks[1].as_chunks::<8>().0];
    let mut rows = [_mm256_setzero_si256(); 8];
    let each = first.iter().zip(second).zip(steps.as_chunks::<8>().0);
    for (row, ((first, second), steps)) in rows.iter_mut().zip(each) {
        let both = _mm256_set_m128i(_mm_loadu_si128(second), _mm_loadu_si128(first));
        *row = _mm256_mullo_epi16(both, _mm256_broadcastsi128_si256(_mm_loadu_si128(steps)));
    }
    rows
}

/// One pass down the columns of two blocks, of which `HALF` have nothing in the
/// last four rows.
#[rite(v3, import_intrinsics)]
fn pass<const BITS: i32, const HALF: bool>(rows: [__m256i; 8]) -> [__m256i; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let round = _mm256_set1_epi32(1 << (BITS - 1));
    let low = [
        _mm256_unpacklo_epi16(r0, r2),
        _mm256_unpacklo_epi16(r4, r6),
        _mm256_unpacklo_epi16(r7, r5),
        _mm256_unpacklo_epi16(r3, r1),
    ];
    let high = [
        _mm256_unpackhi_epi16(r0, r2),
        _mm256_unpackhi_epi16(r4, r6),
        _mm256_unpackhi_epi16(r7, r5),
        _mm256_unpackhi_epi16(r3, r1),
    ];
    let mut out = [_mm256_setzero_si256(); 8];
    for at in 0..4 {
        let [e0, e2, e4, e6] = EVEN[at];
        let [o7, o5, o3, o1] = ODD[at];
        let weights = [pair(e0, e2), pair(e4, e6), pair(o7, o5), pair(o3, o1)];
        let mut sums = [[_mm256_setzero_si256(); 2]; 2];
        for (sum, [a, b, c, d]) in sums.iter_mut().zip([low, high]) {
            let mut even = _mm256_add_epi32(_mm256_madd_epi16(a, weights[0]), round);
            let mut odd = _mm256_madd_epi16(d, weights[3]);
            if !HALF {
                even = _mm256_add_epi32(even, _mm256_madd_epi16(b, weights[1]));
                odd = _mm256_add_epi32(odd, _mm256_madd_epi16(c, weights[2]));
            }
            *sum = [
                _mm256_srai_epi32::<BITS>(_mm256_add_epi32(even, odd)),
                _mm256_srai_epi32::<BITS>(_mm256_sub_epi32(even, odd)),
            ];
        }
        out[at] = _mm256_packs_epi32(sums[0][0], sums[1][0]);
        out[7 - at] = _mm256_packs_epi32(sums[0][1], sums[1][1]);
    }
    out
}

const COLUMNS: i32 = (FRACTION - BETWEEN) as i32;
const ROWS: i32 = (FRACTION + BETWEEN + 3) as i32;

/// The last coefficient in coding order of a block that has some in its first
/// four rows and columns only.
const FEW: u8 = 9;

#[arcane(import_intrinsics)]
pub(super) fn whole_v3(
    _: X64V3Token,
    line: &[Block],
    last: &[u8],
    steps: &Block,
    out: &mut [u8],
    stride: usize,
) {
    let (pairs, odd) = line.as_chunks::<2>();
    for (at, [first, second]) in pairs.iter().enumerate() {
        let out = &mut out[at * 16..];
        if last[2 * at] == 0 && last[2 * at + 1] == 0 {
            let values = [flat(first, steps), flat(second, steps)];
            for row in out.chunks_mut(stride).take(8) {
                row[..8].fill(values[0]);
                row[8..16].fill(values[1]);
            }
            continue;
        }
        let few = last[2 * at].max(last[2 * at + 1]) <= FEW;
        let rows = if few {
            samples::<true>([first, second], steps)
        } else {
            samples::<false>([first, second], steps)
        };
        for (row, samples) in out.chunks_mut(stride).zip(rows) {
            if let Some(row) = row.first_chunk_mut::<16>() {
                _mm_storeu_si128(row, samples);
            }
        }
    }
    if let [block] = odd {
        let out = &mut out[pairs.len() * 16..];
        for (row, samples) in out.chunks_mut(stride).zip(samples::<false>([block, block], steps)) {
            let mut bytes = [0_u8; 16];
            _mm_storeu_si128(&mut bytes, samples);
            row[..8].copy_from_slice(&bytes[..8]);
        }
    }
}

/// Eight rows of eight samples of each of two blocks.
#[rite(v3, import_intrinsics)]
fn samples<const HALF: bool>(blocks: [&Block; 2], steps: &Block) -> [__m128i; 8] {
    let columns = pass::<COLUMNS, HALF>(rows(blocks, steps));
    let rows = riffled(pass::<ROWS, HALF>(riffled(columns)));
    let mut out = [_mm_setzero_si128(); 8];
    for (out, [first, second]) in out.as_chunks_mut::<2>().0.iter_mut().zip(rows.as_chunks::<2>().0) {
        // Both rows of one block, then both of the other: the middle changes places.
        let bytes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi16(*first, *second));
        let bytes = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
        *out = [_mm256_castsi256_si128(bytes), _mm256_extracti128_si256::<1>(bytes)];
    }
    out
}

const HALF_COLUMNS: i32 = (FRACTION - BETWEEN + 1) as i32;
const HALF_ROWS: i32 = (FRACTION + BETWEEN + 4) as i32;

/// The four outputs of pairs of inputs: (1, 3), (5, 7), (2, 6) and (0, 4), of
/// which 4 does not count.
#[rite(v3, import_intrinsics)]
fn four<const BITS: i32>([odd, after, even, first]: [__m256i; 4]) -> [__m256i; 4] {
    let round = _mm256_set1_epi32(1 << (BITS - 1));
    // 1 << (FRACTION + 1) fits in 16 bits.
    let first = _mm256_add_epi32(_mm256_madd_epi16(first, pair(1 << (FRACTION + 1), 0)), round);
    let even = _mm256_madd_epi16(even, pair(15_137, -6270));
    let weighed = |[w1, w3, w5, w7]: [i32; 4]| [pair(w1, w3), pair(w5, w7)];
    let [outer, inner] = [weighed(TO_FOUR.0), weighed(TO_FOUR.1)];
    let outer = _mm256_add_epi32(_mm256_madd_epi16(odd, outer[0]), _mm256_madd_epi16(after, outer[1]));
    let inner = _mm256_add_epi32(_mm256_madd_epi16(odd, inner[0]), _mm256_madd_epi16(after, inner[1]));
    let (with, without) = (_mm256_add_epi32(first, even), _mm256_sub_epi32(first, even));
    [
        _mm256_srai_epi32::<BITS>(_mm256_add_epi32(with, outer)),
        _mm256_srai_epi32::<BITS>(_mm256_add_epi32(without, inner)),
        _mm256_srai_epi32::<BITS>(_mm256_sub_epi32(without, inner)),
        _mm256_srai_epi32::<BITS>(_mm256_sub_epi32(with, outer)),
    ]
}

#[arcane(import_intrinsics)]
pub(super) fn half_v3(_: X64V3Token, line: &[Block], steps: &Block, out: &mut [u8], stride: usize) {
    // Of a row of eight the columns 1 3 5 7 2 6 0 4, two bytes each.
    let pairs_first =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(2, 3, 6, 7, 10, 11, 14, 15, 4, 5, 12, 13, 0, 1, 8, 9));
    // Four columns of four to four rows.
    let turned =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    for (at, blocks) in line.chunks(2).enumerate() {
        let [r0, r1, r2, r3, r4, r5, r6, r7] = rows([&blocks[0], &blocks[blocks.len() - 1]], steps);
        let low = four::<HALF_COLUMNS>([
            _mm256_unpacklo_epi16(r1, r3),
            _mm256_unpacklo_epi16(r5, r7),
            _mm256_unpacklo_epi16(r2, r6),
            _mm256_unpacklo_epi16(r0, r4),
        ]);
        let high = four::<HALF_COLUMNS>([
            _mm256_unpackhi_epi16(r1, r3),
            _mm256_unpackhi_epi16(r5, r7),
            _mm256_unpackhi_epi16(r2, r6),
            _mm256_unpackhi_epi16(r0, r4),
        ]);
        let mut columns = [_mm256_setzero_si256(); 4];
        for (columns, (low, high)) in columns.iter_mut().zip(low.into_iter().zip(high)) {
            *columns = _mm256_shuffle_epi8(_mm256_packs_epi32(low, high), pairs_first);
        }
        // A pair of columns of all rows side by side.
        let [a, b, c, d] = columns;
        let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
        let (ab_after, cd_after) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
        let [first, second, third, fourth] = four::<HALF_ROWS>([
            _mm256_unpacklo_epi64(ab, cd),
            _mm256_unpackhi_epi64(ab, cd),
            _mm256_unpacklo_epi64(ab_after, cd_after),
            _mm256_unpackhi_epi64(ab_after, cd_after),
        ]);
        let bytes = _mm256_packs_epi16(_mm256_packs_epi32(first, second), _mm256_packs_epi32(third, fourth));
        let bytes = _mm256_shuffle_epi8(_mm256_xor_si256(bytes, _mm256_set1_epi8(-128)), turned);
        let mut quads = [[0_u8; 16]; 2];
        _mm_storeu_si128(&mut quads[0], _mm256_castsi256_si128(bytes));
        _mm_storeu_si128(&mut quads[1], _mm256_extracti128_si256::<1>(bytes));
        for (quad, at) in quads.iter().zip(2 * at..).take(blocks.len()) {
            for (row, samples) in out[at * 4..].chunks_mut(stride).zip(quad.as_chunks::<4>().0) {
                row[..4].copy_from_slice(samples);
            }
        }
    }
}
