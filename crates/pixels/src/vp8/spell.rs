//! How modes and levels are spelled in bits: the trees of RFC 6386, each walked
//! in one place, by those who write and by those who only count.

use super::blocks::{DC, HORIZONTAL, TRUE_MOTION, VERTICAL};
use super::tables::CATEGORIES;

/// Every bit of a subblock's mode with the probability of 0 (section 11.2).
pub(super) fn subblock(mode: u8, chances: &[u8; 9], mut put: impl FnMut(bool, u8)) {
    const RIGHT_DOWN: u8 = 4;
    const VERTICAL_RIGHT: u8 = 5;
    const LEFT_DOWN: u8 = 6;
    const VERTICAL_LEFT: u8 = 7;
    const HORIZONTAL_DOWN: u8 = 8;
    for (common, chance) in [DC, TRUE_MOTION, VERTICAL].into_iter().zip(chances) {
        put(mode != common, *chance);
        if mode == common {
            return;
        }
    }
    let steep = matches!(mode, HORIZONTAL | RIGHT_DOWN | VERTICAL_RIGHT);
    put(!steep, chances[3]);
    if steep {
        put(mode != HORIZONTAL, chances[4]);
        if mode != HORIZONTAL {
            put(mode != RIGHT_DOWN, chances[5]);
        }
        return;
    }
    for (other, chance) in [LEFT_DOWN, VERTICAL_LEFT, HORIZONTAL_DOWN].into_iter().zip(&chances[6..]) {
        put(mode != other, *chance);
        if mode == other {
            return;
        }
    }
}

/// That subblocks have modes of their own.
pub(super) fn split(mut put: impl FnMut(bool, u8)) {
    put(false, 145);
}

/// A mode for the whole of a macroblock's luma.
pub(super) fn whole(mode: u8, mut put: impl FnMut(bool, u8)) {
    put(true, 145);
    let slanted = matches!(mode, TRUE_MOTION | HORIZONTAL);
    put(slanted, 156);
    if slanted {
        put(mode == TRUE_MOTION, 128);
    } else {
        put(mode == VERTICAL, 163);
    }
}

/// The mode of a macroblock's chroma.
pub(super) fn chroma(mode: u8, mut put: impl FnMut(bool, u8)) {
    put(mode != DC, 142);
    if mode != DC {
        put(mode != VERTICAL, 114);
        if mode != VERTICAL {
            put(mode != HORIZONTAL, 183);
        }
    }
}

/// Where a bit's probability stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chance {
    /// At this branch of the coefficient's tree.
    Branch(usize),
    /// In the specification.
    Fixed(u8),
}

/// Every bit of a coefficient (section 13.2) but its sign, and but the first,
/// which says that there are more.
#[inline]
pub(super) fn magnitude(level: u16, mut put: impl FnMut(bool, Chance)) {
    put(level > 0, Chance::Branch(1));
    if level == 0 {
        return;
    }
    put(level > 1, Chance::Branch(2));
    if level == 1 {
        return;
    }
    put(level > 4, Chance::Branch(3));
    if level <= 4 {
        put(level > 2, Chance::Branch(4));
        if level > 2 {
            put(level > 3, Chance::Branch(5));
        }
        return;
    }
    let category = match level {
        ..7 => 0,
        7..11 => 1,
        11..19 => 2,
        19..35 => 3,
        35..67 => 4,
        67.. => 5,
    };
    put(category > 1, Chance::Branch(6));
    match category {
        0 | 1 => put(category == 1, Chance::Branch(7)),
        2 | 3 => {
            put(false, Chance::Branch(8));
            put(category == 3, Chance::Branch(9));
        }
        _ => {
            put(true, Chance::Branch(8));
            put(category == 5, Chance::Branch(10));
        }
    }
    let (first, chances) = CATEGORIES[category];
    for (at, &chance) in (0..chances.len()).rev().zip(chances) {
        put((level - first) >> at & 1 != 0, Chance::Fixed(chance));
    }
}
