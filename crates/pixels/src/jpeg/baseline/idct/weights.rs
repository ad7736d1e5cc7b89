//! The weights of the inverse DCT and how its sums are rounded, the same for the
//! portable form and for `avx2`.

use crate::jpeg::baseline::entropy::Block;

/// Bits of fraction of the constants.
pub(super) const FRACTION: u32 = 13;

/// Bits of fraction between the passes.
pub(super) const BETWEEN: u32 = 2;

/// Rounds off `bits` of fraction and moves the middle to 128.
pub(super) fn sample(value: i32, bits: u32) -> u8 {
    (rounded(value, bits) + 128).clamp(0, 255) as u8
}

/// Every sample of a block that has a mean alone, at any scale.
pub(super) fn flat(block: &Block, steps: &Block) -> u8 {
    sample(block[0].wrapping_mul(steps[0]).into(), 3)
}

pub(super) const fn rounded(value: i32, bits: u32) -> i32 {
    value.wrapping_add(1 << (bits - 1)) >> bits
}

/// What the odd rows (7, 5, 3, 1) add to the outputs 0, 1, 2 and 3 and take
/// from their mirror images; what takes libjpeg five rotations, multiplied out.
pub(super) const ODD: [[i32; 4]; 4] = [
    [2260, 6437, 9633, 11_363],
    [-6436, -11_362, -2259, 9633],
    [9633, 2261, -11_362, 6437],
    [-11_363, 9633, -6436, 2260],
];

/// What the even rows (0, 2, 4, 6) add to the outputs 0, 1, 2, 3.
pub(super) const EVEN: [[i32; 4]; 4] = [
    [8192, 10_703, 8192, 4433],
    [8192, 4433, -8192, -10_704],
    [8192, -4433, -8192, 10_704],
    [8192, -10_703, 8192, -4433],
];

/// The rows that the reduction to four reads, and what they add to the outputs
/// 0 and 1 and take from 3 and 2.
pub(super) const TO_FOUR: ([i32; 4], [i32; 4]) =
    ([20_995, 7373, -4926, -4176], [8697, -17_799, 11_893, -1730]);
