//! What the kernels for vectors of 16-bit samples have in common.

use archmage::prelude::*;

/// Eight rows of eight samples turned over, in both halves of the vectors.
///
/// Riffling the first half of the samples with the second takes the topmost bit
/// of a sample's place to the bottom: three times, and row and column have
/// changed places.
#[rite(v3, import_intrinsics)]
pub(crate) fn riffled(mut v: [__m256i; 8]) -> [__m256i; 8] {
    for _ in 0..3 {
        let [a, b, c, d, e, f, g, h] = v;
        v = [
            _mm256_unpacklo_epi16(a, e),
            _mm256_unpackhi_epi16(a, e),
            _mm256_unpacklo_epi16(b, f),
            _mm256_unpackhi_epi16(b, f),
            _mm256_unpacklo_epi16(c, g),
            _mm256_unpackhi_epi16(c, g),
            _mm256_unpacklo_epi16(d, h),
            _mm256_unpackhi_epi16(d, h),
        ];
    }
    v
}
