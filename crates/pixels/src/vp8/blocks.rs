//! Blocks side by side, and the modes by which a block is predicted (RFC 6386,
//! section 8). Owns these names; refuses arithmetic.

/// A value of each of sixteen blocks.
pub(super) type Lanes = [i16; 16];

/// Sixteen blocks: samples or coefficients, row by row, of each.
pub(super) type Blocks = [Lanes; 16];

/// Modes of whole macroblocks, of luma and of chroma; the first four of
/// [`SUBBLOCK`]'s, in the same order.
pub(super) const DC: u8 = 0;
/// Left plus above minus the corner.
pub(super) const TRUE_MOTION: u8 = 1;
/// The row above, downwards.
pub(super) const VERTICAL: u8 = 2;
/// The column to the left, rightwards.
pub(super) const HORIZONTAL: u8 = 3;

/// Modes of macroblocks.
pub(super) const WHOLE: usize = 4;
/// Modes of luma subblocks: those of macroblocks, then right-down,
/// vertical-right, left-down, vertical-left, horizontal-down and horizontal-up.
pub(super) const SUBBLOCK: usize = 10;
