//! The kernels for processors with AVX2: a vector holds a value of all sixteen
//! blocks.

use super::{BACKWARD, FORWARD, Kernels, LARGEST, MAGNITUDES, Magnitudes, TEXTURE, Trial, Weighing};
use crate::vp8::blocks::{Blocks, Lanes, SUBBLOCK, TRUE_MOTION};
use crate::vp8::predict::{Edge, SMOOTH, mean};
use crate::vp8::quantizer::Matrix;
use crate::vp8::rate::{PlaneRates, TABLED, Table};
use crate::vp8::tables::ZIGZAG;
use archmage::prelude::*;

/// The proof that this processor has AVX2.
#[derive(Debug, Clone, Copy)]
pub(in crate::vp8) struct Avx2(X64V3Token);

impl Avx2 {
    /// `None` where it has not.
    pub(in crate::vp8) fn summon() -> Option<Self> {
        X64V3Token::summon().map(Self)
    }
}

impl Kernels for Avx2 {
    fn forward(self, source: &Blocks, predicted: &Blocks, coefficients: &mut Blocks) {
        forward(self.0, source, predicted, coefficients);
    }

    fn quantize(self, coefficients: &mut Blocks, matrix: &Matrix, trial: &mut Trial) {
        quantize(self.0, coefficients, matrix, trial);
    }

    fn reconstruct(
        self,
        source: &Blocks,
        predicted: &Blocks,
        coefficients: &Blocks,
        weights: Option<&[i32; 16]>,
        trial: &mut Trial,
    ) {
        reconstruct(self.0, source, predicted, coefficients, weights, trial);
    }

    fn count(self, rates: &PlaneRates, neighbours: &[u8; 16], trial: &mut Trial) {
        count(self.0, rates, neighbours, trial);
    }

    fn weigh(self, samples: &Blocks) -> [i32; 16] {
        weigh(self.0, samples)
    }

    fn subblock(self, source: &Lanes, edge: &Edge, weighing: Weighing<'_>, trial: &mut Trial) {
        subblock(self.0, source, edge, weighing, trial);
    }

    fn magnitudes(self, coefficients: &Blocks, together: bool) -> [Magnitudes; 2] {
        magnitudes(self.0, coefficients, together)
    }
}

type Vectors = [__m256i; 16];

#[rite(v3, import_intrinsics)]
fn load(blocks: &Blocks) -> Vectors {
    let mut vectors = [_mm256_setzero_si256(); 16];
    for (vector, lanes) in vectors.iter_mut().zip(blocks) {
        *vector = _mm256_loadu_si256(lanes);
    }
    vectors
}

#[rite(v3, import_intrinsics)]
fn store(vectors: Vectors, blocks: &mut Blocks) {
    for (to, vector) in blocks.iter_mut().zip(vectors) {
        _mm256_storeu_si256(to, vector);
    }
}

/// `weights.0 · a + weights.1 · b + round` in 32 bits, the last `BITS` cut off.
#[rite(v3, import_intrinsics)]
fn turned<const BITS: i32>(a: __m256i, b: __m256i, (first, second): (i32, i32), round: i32) -> __m256i {
    let weights = _mm256_set1_epi32(second << 16 | first);
    let round = _mm256_set1_epi32(round);
    let low = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weights);
    let high = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weights);
    _mm256_packs_epi32(
        _mm256_srai_epi32::<BITS>(_mm256_add_epi32(low, round)),
        _mm256_srai_epi32::<BITS>(_mm256_add_epi32(high, round)),
    )
}

/// Sums and differences of the outer and of the inner two: outer, inner, bend, tilt.
#[rite(v3, import_intrinsics)]
fn folded([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    [_mm256_add_epi16(a, d), _mm256_add_epi16(b, c), _mm256_sub_epi16(b, c), _mm256_sub_epi16(a, d)]
}

#[rite(v3, import_intrinsics)]
fn transformed(differences: Vectors) -> Vectors {
    let mut rows = differences;
    for row in rows.as_chunks_mut::<4>().0 {
        let [outer, inner, bend, tilt] = folded(*row);
        *row = [
            _mm256_slli_epi16::<3>(_mm256_add_epi16(outer, inner)),
            turned::<9>(bend, tilt, FORWARD, 1812),
            _mm256_slli_epi16::<3>(_mm256_sub_epi16(outer, inner)),
            turned::<9>(tilt, bend, BACKWARD, 937),
        ];
    }
    let mut out = rows;
    let (one, seven) = (_mm256_set1_epi16(1), _mm256_set1_epi16(7));
    for x in 0..4 {
        let [outer, inner, bend, tilt] = folded([rows[x], rows[4 + x], rows[8 + x], rows[12 + x]]);
        let still = _mm256_cmpeq_epi16(tilt, _mm256_setzero_si256());
        out[x] = _mm256_srai_epi16::<4>(_mm256_add_epi16(_mm256_add_epi16(outer, inner), seven));
        let turned_in = turned::<16>(bend, tilt, FORWARD, 12_000);
        out[4 + x] = _mm256_add_epi16(turned_in, _mm256_add_epi16(one, still));
        out[8 + x] = _mm256_srai_epi16::<4>(_mm256_add_epi16(_mm256_sub_epi16(outer, inner), seven));
        out[12 + x] = turned::<16>(tilt, bend, BACKWARD, 51_000);
    }
    out
}

#[arcane(import_intrinsics)]
fn forward(_: X64V3Token, source: &Blocks, predicted: &Blocks, coefficients: &mut Blocks) {
    let mut differences = load(source);
    for (difference, predicted) in differences.iter_mut().zip(load(predicted)) {
        *difference = _mm256_sub_epi16(*difference, predicted);
    }
    store(transformed(differences), coefficients);
}

/// Levels of the coefficients, which become what a decoder has of them.
#[rite(v3, import_intrinsics)]
fn quantized(values: &mut Vectors, matrix: &Matrix, trial: &mut Trial) {
    let (one, none) = (_mm256_set1_epi16(1), _mm256_setzero_si256());
    let mut zero = [none; 16];
    for (at, value) in values.iter_mut().enumerate() {
        let step = matrix.step(at);
        let inverse = _mm256_set1_epi16(step.inverse.cast_signed());
        let bias = _mm256_set1_epi16(step.bias.cast_signed());
        let size = _mm256_add_epi16(_mm256_abs_epi16(*value), _mm256_set1_epi16(matrix.sharpen[at]));
        let low = _mm256_add_epi16(_mm256_mullo_epi16(size, inverse), bias);
        // The low half overflowed where it is less than what was added.
        let no_carry = _mm256_cmpeq_epi16(_mm256_max_epu16(low, bias), low);
        let high = _mm256_add_epi16(_mm256_mulhi_epu16(size, inverse), _mm256_add_epi16(one, no_carry));
        let level = _mm256_min_epi16(_mm256_srli_epi16::<1>(high), _mm256_set1_epi16(LARGEST));
        let level = _mm256_sign_epi16(level, *value);
        *value = _mm256_mullo_epi16(level, _mm256_set1_epi16(step.size));
        zero[at] = _mm256_cmpeq_epi16(level, none);
        _mm256_storeu_si256(&mut trial.levels[at], level);
    }
    let mut coded = none;
    for (before, at) in ZIGZAG.into_iter().enumerate() {
        let place = _mm256_set1_epi16(before as i16 + 1);
        coded = _mm256_max_epi16(coded, _mm256_andnot_si256(zero[at], place));
    }
    let mut busy = _mm256_set1_epi16(15);
    for zero in &zero[1..] {
        busy = _mm256_add_epi16(busy, *zero);
    }
    _mm256_storeu_si256(&mut trial.coded, coded);
    _mm256_storeu_si256(&mut trial.busy, busy);
}

#[arcane(import_intrinsics)]
fn quantize(_: X64V3Token, coefficients: &mut Blocks, matrix: &Matrix, trial: &mut Trial) {
    let mut values = load(coefficients);
    quantized(&mut values, matrix, trial);
    store(values, coefficients);
}

#[rite(v3, import_intrinsics)]
fn by_cosine(value: __m256i) -> __m256i {
    _mm256_add_epi16(value, _mm256_mulhi_epi16(value, _mm256_set1_epi16(20_091)))
}

/// The factor less 2¹⁶, which fits, and the value again.
#[rite(v3, import_intrinsics)]
fn by_sine(value: __m256i) -> __m256i {
    let factor = (35_468 - 0x1_0000) as i16;
    _mm256_add_epi16(value, _mm256_mulhi_epi16(value, _mm256_set1_epi16(factor)))
}

#[rite(v3, import_intrinsics)]
fn inverse_pass([first, second, third, fourth]: [__m256i; 4]) -> [__m256i; 4] {
    let (sum, difference) = (_mm256_add_epi16(first, third), _mm256_sub_epi16(first, third));
    let less = _mm256_sub_epi16(by_sine(second), by_cosine(fourth));
    let more = _mm256_add_epi16(by_cosine(second), by_sine(fourth));
    [
        _mm256_add_epi16(sum, more),
        _mm256_add_epi16(difference, less),
        _mm256_sub_epi16(difference, less),
        _mm256_sub_epi16(sum, more),
    ]
}

/// The samples of coefficients beside what was predicted.
#[rite(v3, import_intrinsics)]
fn samples(coefficients: &Vectors, predicted: &Vectors) -> Vectors {
    let mut columns = *coefficients;
    for x in 0..4 {
        let [a, b, c, d] = [x, 4 + x, 8 + x, 12 + x];
        let column = inverse_pass([coefficients[a], coefficients[b], coefficients[c], coefficients[d]]);
        [columns[a], columns[b], columns[c], columns[d]] = column;
    }
    let (none, most) = (_mm256_setzero_si256(), _mm256_set1_epi16(255));
    let mut out = columns;
    for (row, predicted) in out.as_chunks_mut::<4>().0.iter_mut().zip(predicted.as_chunks::<4>().0) {
        row[0] = _mm256_add_epi16(row[0], _mm256_set1_epi16(4));
        let values = inverse_pass(*row);
        for ((to, value), predicted) in row.iter_mut().zip(values).zip(predicted) {
            let sample = _mm256_add_epi16(*predicted, _mm256_srai_epi16::<3>(value));
            *to = _mm256_min_epi16(_mm256_max_epi16(sample, none), most);
        }
    }
    out
}

/// Sums of products of pairs, 32 bits wide: lanes 0–3 and 8–11, then the others.
#[rite(v3, import_intrinsics)]
fn add_products(sums: &mut [__m256i; 2], [a, b]: [__m256i; 2], [c, d]: [__m256i; 2]) {
    let low = _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), _mm256_unpacklo_epi16(c, d));
    let high = _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), _mm256_unpackhi_epi16(c, d));
    sums[0] = _mm256_add_epi32(sums[0], low);
    sums[1] = _mm256_add_epi32(sums[1], high);
}

/// [`add_products`]' sums in the order of lanes.
#[rite(v3, import_intrinsics)]
fn in_order([low, high]: [__m256i; 2]) -> [__m256i; 2] {
    [_mm256_permute2x128_si256::<0x20>(low, high), _mm256_permute2x128_si256::<0x31>(low, high)]
}

#[rite(v3, import_intrinsics)]
fn store_sums(sums: [__m256i; 2], out: &mut [i32; 16]) {
    for (to, sum) in out.as_chunks_mut::<8>().0.iter_mut().zip(in_order(sums)) {
        _mm256_storeu_si256(to, sum);
    }
}

#[rite(v3, import_intrinsics)]
fn hadamard([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let [sum, odd] = [_mm256_add_epi16(a, c), _mm256_add_epi16(b, d)];
    let [even, difference] = [_mm256_sub_epi16(a, c), _mm256_sub_epi16(b, d)];
    [
        _mm256_add_epi16(sum, odd),
        _mm256_add_epi16(even, difference),
        _mm256_sub_epi16(even, difference),
        _mm256_sub_epi16(sum, odd),
    ]
}

#[rite(v3, import_intrinsics)]
fn textures(samples: &Vectors) -> [__m256i; 2] {
    let mut rows = *samples;
    for row in rows.as_chunks_mut::<4>().0 {
        *row = hadamard(*row);
    }
    let mut sums = [_mm256_setzero_si256(); 2];
    for x in 0..4 {
        let [a, b, c, d] = hadamard([rows[x], rows[4 + x], rows[8 + x], rows[12 + x]]);
        let weight = |y: usize| _mm256_set1_epi16(TEXTURE[4 * y + x]);
        add_products(&mut sums, [_mm256_abs_epi16(a), _mm256_abs_epi16(b)], [weight(0), weight(1)]);
        add_products(&mut sums, [_mm256_abs_epi16(c), _mm256_abs_epi16(d)], [weight(2), weight(3)]);
    }
    sums
}

#[arcane(import_intrinsics)]
fn count(_: X64V3Token, rates: &PlaneRates, neighbours: &[u8; 16], trial: &mut Trial) {
    counted(rates, neighbours, trial);
}

/// Lanes as bytes, in both halves.
#[rite(v3, import_intrinsics)]
fn bytes(lanes: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b10_00_10_00>(_mm256_packus_epi16(lanes, lanes))
}

/// What `table` has of each lane's event.
#[rite(v3, import_intrinsics)]
fn looked_up(table: &Table, events: __m256i) -> __m256i {
    _mm256_shuffle_epi8(_mm256_loadu_si256(table), events)
}

/// Adds costs, as [`looked_up`] has them, to those of lanes 0–7 and 8–15.
#[rite(v3, import_intrinsics)]
fn add_costs(sums: &mut [__m128i; 2], costs: __m256i) {
    let (low, high) = (_mm256_castsi256_si128(costs), _mm256_extracti128_si256::<1>(costs));
    sums[0] = _mm_adds_epu16(sums[0], _mm_unpacklo_epi8(low, high));
    sums[1] = _mm_adds_epu16(sums[1], _mm_unpackhi_epi8(low, high));
}

/// All blocks side by side, a place in coding order after the other.
#[rite(v3, import_intrinsics)]
fn counted(rates: &PlaneRates, neighbours: &[u8; 16], trial: &mut Trial) {
    let one = _mm256_set1_epi8(1);
    let mut before = _mm256_broadcastsi128_si256(_mm_loadu_si128(neighbours));
    let coded = bytes(_mm256_loadu_si256(&trial.coded));
    let any = _mm256_cmpgt_epi8(coded, _mm256_set1_epi8(rates.first as i8));
    let start =
        _mm256_blendv_epi8(looked_up(&rates.start[0], before), looked_up(&rates.start[1], before), any);
    let mut sums = [_mm_setzero_si128(); 2];
    add_costs(&mut sums, start);
    let most = _mm256_set1_epi8(TABLED as i8 - 1);
    let mut large = _mm256_setzero_si256();
    for (at, place) in ZIGZAG.into_iter().enumerate().skip(rates.first) {
        let here = _mm256_cmpgt_epi8(coded, _mm256_set1_epi8(at as i8));
        if _mm256_movemask_epi8(here) == 0 {
            break;
        }
        let levels = bytes(_mm256_abs_epi16(_mm256_loadu_si256(&trial.levels[place])));
        let tabled = _mm256_min_epu8(levels, most);
        large = _mm256_or_si256(large, _mm256_xor_si256(levels, tabled));
        let [after_none, after_one, after_more] = &rates.levels[at];
        let costs = _mm256_blendv_epi8(
            looked_up(after_none, tabled),
            looked_up(after_one, tabled),
            _mm256_cmpeq_epi8(before, one),
        );
        let costs = _mm256_blendv_epi8(costs, looked_up(after_more, tabled), _mm256_cmpgt_epi8(before, one));
        add_costs(&mut sums, _mm256_and_si256(costs, here));
        let last = _mm256_cmpeq_epi8(coded, _mm256_set1_epi8(at as i8 + 1));
        let [after_one, after_more] = &rates.ends[at];
        let ends = _mm256_blendv_epi8(
            _mm256_loadu_si256(after_more),
            _mm256_loadu_si256(after_one),
            _mm256_cmpeq_epi8(tabled, one),
        );
        add_costs(&mut sums, _mm256_and_si256(ends, last));
        before = tabled;
    }
    for (to, sums) in trial.bits.as_chunks_mut::<8>().0.iter_mut().zip(sums) {
        _mm_storeu_si128(to, sums);
    }
    let exact = _mm256_cmpeq_epi8(large, _mm256_setzero_si256());
    let mut left = !_mm256_movemask_epi8(exact) & 0xffff;
    while left != 0 {
        let lane = left.trailing_zeros() as usize;
        trial.bits[lane] = trial.count(rates, neighbours[lane], lane);
        left &= left - 1;
    }
}

#[arcane(import_intrinsics)]
fn weigh(_: X64V3Token, samples: &Blocks) -> [i32; 16] {
    let mut weights = [0; 16];
    store_sums(textures(&load(samples)), &mut weights);
    weights
}

/// Samples and their squared errors; texture is the caller's.
#[rite(v3, import_intrinsics)]
fn measured(source: &Vectors, predicted: &Vectors, coefficients: &Vectors, trial: &mut Trial) -> Vectors {
    let samples = samples(coefficients, predicted);
    let mut sums = [_mm256_setzero_si256(); 2];
    let pairs = samples.as_chunks::<2>().0.iter().zip(source.as_chunks::<2>().0);
    for ([a, b], [c, d]) in pairs {
        let errors = [_mm256_sub_epi16(*a, *c), _mm256_sub_epi16(*b, *d)];
        add_products(&mut sums, errors, errors);
    }
    store_sums(sums, &mut trial.squares);
    store(samples, &mut trial.samples);
    samples
}

#[arcane(import_intrinsics)]
fn reconstruct(
    _: X64V3Token,
    source: &Blocks,
    predicted: &Blocks,
    coefficients: &Blocks,
    weights: Option<&[i32; 16]>,
    trial: &mut Trial,
) {
    let samples = measured(&load(source), &load(predicted), &load(coefficients), trial);
    if let Some(weights) = weights {
        let both = weights.as_chunks::<8>().0.iter().zip(in_order(textures(&samples)));
        for ((weights, sums), to) in both.zip(trial.texture.as_chunks_mut::<8>().0) {
            let difference = _mm256_abs_epi32(_mm256_sub_epi32(sums, _mm256_loadu_si256(weights)));
            _mm256_storeu_si256(to, _mm256_srai_epi32::<5>(difference));
        }
    }
}

/// What each mode predicts of a subblock.
#[rite(v3, import_intrinsics)]
fn predicted(edge: &Edge) -> Vectors {
    let here = _mm_loadu_si128(edge);
    let none = _mm_setzero_si128();
    let next = _mm_alignr_epi8::<1>(none, here);
    let over = _mm_alignr_epi8::<2>(none, here);
    // Of bytes: (here + over) / 2 rounded down, then with `next` rounded up.
    let odd = _mm_and_si128(_mm_xor_si128(here, over), _mm_set1_epi8(1));
    let three = _mm_avg_epu8(_mm_sub_epi8(_mm_avg_epu8(here, over), odd), next);
    // One place to the right, where `SMOOTH` looks; before them the lowest sample.
    let table = _mm_alignr_epi8::<15>(three, _mm_slli_si128::<14>(here));
    let table = _mm_insert_epi8::<14>(table, i32::from(mean(edge)));
    let two = _mm_avg_epu8(here, next);

    let above = _mm_cvtepu8_epi16(_mm_srli_si128::<6>(here));
    // Rows of four, twice.
    let above = _mm_unpacklo_epi64(above, above);
    let corner = i16::from(edge[5]);
    let [first, second, third, fourth] = [4, 3, 2, 1].map(|at| i16::from(edge[at]) - corner);
    let upper = _mm_unpacklo_epi64(_mm_set1_epi16(first), _mm_set1_epi16(second));
    let lower = _mm_unpacklo_epi64(_mm_set1_epi16(third), _mm_set1_epi16(fourth));
    let motion = _mm_packus_epi16(_mm_add_epi16(above, upper), _mm_add_epi16(above, lower));

    let mut vectors = [_mm256_setzero_si256(); 16];
    for (at, (vector, places)) in vectors.iter_mut().zip(&SMOOTH).enumerate() {
        let places = _mm_loadu_si128(places);
        // A place with its highest bit set is none.
        let in_table = _mm_or_si128(places, _mm_cmpgt_epi8(places, _mm_set1_epi8(15)));
        let in_two = _mm_sub_epi8(places, _mm_set1_epi8(16));
        let lanes = _mm_or_si128(_mm_shuffle_epi8(table, in_table), _mm_shuffle_epi8(two, in_two));
        let motion = _mm_shuffle_epi8(motion, _mm_set1_epi8(at as i8));
        let lanes = _mm_blendv_epi8(lanes, motion, only(TRUE_MOTION));
        *vector = _mm256_cvtepu8_epi16(lanes);
    }
    vectors
}

/// A mask of one lane.
#[rite(v3, import_intrinsics)]
fn only(lane: u8) -> __m128i {
    let mut mask = [0_u8; 16];
    mask[usize::from(lane)] = 0xff;
    _mm_loadu_si128(&mask)
}

#[arcane(import_intrinsics)]
fn subblock(_: X64V3Token, source: &Lanes, edge: &Edge, weighing: Weighing<'_>, trial: &mut Trial) {
    const { assert!(SUBBLOCK <= 16, "each mode has a lane") };
    let predicted = predicted(edge);
    let (mut all, mut differences) = (predicted, predicted);
    for ((all, difference), &sample) in all.iter_mut().zip(&mut differences).zip(source) {
        *all = _mm256_set1_epi16(sample);
        *difference = _mm256_sub_epi16(*all, *difference);
    }
    let source = all;
    let mut values = transformed(differences);
    quantized(&mut values, weighing.matrix, trial);
    let samples = measured(&source, &predicted, &values, trial);
    let weight = _mm256_set1_epi32(weighing.texture);
    for (sums, to) in in_order(textures(&samples)).into_iter().zip(trial.texture.as_chunks_mut::<8>().0) {
        let difference = _mm256_abs_epi32(_mm256_sub_epi32(sums, weight));
        _mm256_storeu_si256(to, _mm256_srai_epi32::<5>(difference));
    }
    counted(weighing.rates, &[weighing.neighbours; 16], trial);
    trial.score(weighing.modes, weighing.prices);
}

/// Sums of a vector's bytes, in its halves.
#[rite(v3, import_intrinsics)]
fn sums(bytes: __m256i) -> [u32; 2] {
    let sums = _mm256_sad_epu8(bytes, _mm256_setzero_si256());
    let (low, high) = (_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
    let low = _mm_cvtsi128_si32(low) + _mm_extract_epi16::<4>(low);
    let high = _mm_cvtsi128_si32(high) + _mm_extract_epi16::<4>(high);
    [low.cast_unsigned(), high.cast_unsigned()]
}

#[arcane(import_intrinsics)]
fn magnitudes(_: X64V3Token, coefficients: &Blocks, together: bool) -> [Magnitudes; 2] {
    let size = |lanes: &Lanes| _mm256_srli_epi16::<3>(_mm256_abs_epi16(_mm256_loadu_si256(lanes)));
    let mut bytes = [_mm256_setzero_si256(); 8];
    let mut largest = _mm256_setzero_si256();
    for (bytes, [a, b]) in bytes.iter_mut().zip(coefficients.as_chunks::<2>().0) {
        // Packing goes by halves, so that blocks stay in theirs.
        let both = _mm256_packus_epi16(size(a), size(b));
        *bytes = _mm256_min_epu8(both, _mm256_set1_epi8(MAGNITUDES as i8 - 1));
        largest = _mm256_max_epu8(largest, *bytes);
    }
    let mut found = [Magnitudes::default(); 2];
    let mut rest = [if together { 256 } else { 128 }; 2];
    for magnitude in 0..MAGNITUDES {
        let wanted = _mm256_set1_epi8(magnitude.cast_signed());
        let mut count = _mm256_setzero_si256();
        for bytes in &bytes {
            count = _mm256_sub_epi8(count, _mm256_cmpeq_epi8(*bytes, wanted));
        }
        let [first, second] = sums(count);
        let counts = if together { [first + second; 2] } else { [first, second] };
        for ((found, rest), count) in found.iter_mut().zip(&mut rest).zip(counts) {
            found.commonest = count.max(found.commonest);
            *rest -= count;
        }
        if found.iter().zip(rest).all(|(found, rest)| rest <= found.commonest) {
            break;
        }
    }
    let mut bytes = [0_u8; 32];
    _mm256_storeu_si256(&mut bytes, largest);
    let largest = bytes.as_chunks::<16>().0.iter().map(|half| half.iter().copied().max().unwrap_or(0));
    for (found, largest) in found.iter_mut().zip(largest) {
        found.largest = largest.into();
    }
    if together {
        found = [Magnitudes { largest: found[0].largest.max(found[1].largest), ..found[0] }; 2];
    }
    found
}
