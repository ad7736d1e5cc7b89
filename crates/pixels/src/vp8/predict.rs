//! What is predicted of a block from the samples around it (RFC 6386, section
//! 12). Knows nothing of where the samples come from.

use super::blocks::{Blocks, HORIZONTAL, Lanes, SUBBLOCK, TRUE_MOTION, VERTICAL};

/// Samples around a subblock from its lower left corner over the upper left to
/// the upper right: four to its left from the bottom up, the corner, eight above
/// it. The first and the last stand twice.
pub(super) type Edge = [u8; 16];

/// Where in [`smooth`]'s table each mode finds each sample of a subblock. That
/// of true motion is not there.
pub(super) const SMOOTH: [[u8; 16]; 16] = {
    // Means of three around a sample of the edge, or of two from it.
    const LEFT: usize = 4;
    const CORNER: usize = 5;
    const ABOVE: usize = 6;
    const TWO: usize = 16;
    const LOWEST: usize = 0;
    const MEAN: usize = 14;
    let mut table = [[MEAN as u8; 16]; 16];
    let mut at = 0;
    while at < 16 {
        let (x, y) = (at % 4, at / 4);
        let right_down = CORNER + x - y;
        // Down one row in two along the edge, right one column.
        let vertical_right = match (y, 2 * x + 1 >= y) {
            (0 | 2, true) => TWO + CORNER + x - y / 2,
            (_, true) => CORNER + x - y / 2,
            (_, false) => LEFT + 2 - y,
        };
        let vertical_left = match (x, y) {
            (3, 2) => 11,
            (3, 3) => 12,
            (x, 0 | 2) => TWO + ABOVE + x + y / 2,
            (x, y) => ABOVE + 1 + x + y / 2,
        };
        let horizontal_down = match (x, 2 * y + 1 >= x) {
            (0 | 2, true) => TWO + LEFT + x / 2 - y,
            (_, true) => CORNER + x / 2 - y,
            (_, false) => ABOVE + x - 2,
        };
        let horizontal_up = match x + 2 * y {
            along @ (0 | 2 | 4) => TWO + LEFT - 1 - along / 2,
            along @ (1 | 3 | 5) => LEFT - 1 - along / 2,
            _ => LOWEST,
        };
        let modes = [
            MEAN,
            MEAN,
            ABOVE + x,
            LEFT - y,
            right_down,
            vertical_right,
            ABOVE + 1 + x + y,
            vertical_left,
            horizontal_down,
            horizontal_up,
        ];
        let mut mode = 0;
        while mode < SUBBLOCK {
            table[at][mode] = modes[mode] as u8;
            mode += 1;
        }
        at += 1;
    }
    table
};

/// What [`SMOOTH`] points into.
pub(super) fn smooth(edge: &Edge) -> [u8; 32] {
    let sample = |at: usize| u16::from(edge[at]);
    let mut table = [0; 32];
    for at in 1..14 {
        table[at] = ((sample(at - 1) + 2 * sample(at) + sample(at + 1) + 2) >> 2) as u8;
        table[16 + at] = (sample(at) + sample(at + 1)).div_ceil(2) as u8;
    }
    table[0] = edge[1];
    table[14] = mean(edge);
    table
}

/// The mean of the four samples above and the four to the left.
pub(super) fn mean(edge: &Edge) -> u8 {
    let sum: u16 = edge[1..5].iter().chain(&edge[6..10]).map(|&sample| u16::from(sample)).sum();
    ((sum + 4) >> 3) as u8
}

/// A subblock as each mode predicts it; those that are none say what DC says.
pub(super) fn subblock(edge: &Edge) -> Blocks {
    let table = smooth(edge);
    let mut blocks = SMOOTH.map(|lanes| lanes.map(|at| i16::from(table[usize::from(at)])));
    for (at, lanes) in blocks.iter_mut().enumerate() {
        let [left, above, corner] = [4 - at / 4, 6 + at % 4, 5].map(|at| i16::from(edge[at]));
        lanes[usize::from(TRUE_MOTION)] = (left + above - corner).clamp(0, 255);
    }
    blocks
}

/// Samples around the blocks of a macroblock, a lane each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    /// The row above each column of samples of the block.
    pub(super) above: [Lanes; 4],
    /// The column to the left of each row.
    pub(super) left: [Lanes; 4],
    pub(super) corner: Lanes,
    /// The mean of what there is of both.
    pub(super) mean: Lanes,
}

impl Surroundings {
    /// Those of a macroblock's luma.
    pub(super) fn luma(above: &[u8; 16], left: &[u8; 16], corner: u8, mean: u8) -> Self {
        Self {
            above: std::array::from_fn(|x| std::array::from_fn(|lane| above[lane % 4 * 4 + x].into())),
            left: std::array::from_fn(|y| std::array::from_fn(|lane| left[lane / 4 * 4 + y].into())),
            corner: [corner.into(); 16],
            mean: [mean.into(); 16],
        }
    }

    /// Those of its chroma: four blocks of Cb, four of Cr, and both again.
    pub(super) fn chroma(above: [&[u8; 8]; 2], left: [&[u8; 8]; 2], corner: [u8; 2], mean: [u8; 2]) -> Self {
        let plane = |lane: usize| lane / 4 % 2;
        Self {
            above: std::array::from_fn(|x| {
                std::array::from_fn(|lane| above[plane(lane)][lane % 2 * 4 + x].into())
            }),
            left: std::array::from_fn(|y| {
                std::array::from_fn(|lane| left[plane(lane)][lane / 2 % 2 * 4 + y].into())
            }),
            corner: std::array::from_fn(|lane| corner[plane(lane)].into()),
            mean: std::array::from_fn(|lane| mean[plane(lane)].into()),
        }
    }

    /// What `mode` predicts.
    #[inline]
    pub(super) fn predict(&self, mode: u8) -> Blocks {
        let mut blocks = [self.mean; 16];
        for (at, lanes) in blocks.iter_mut().enumerate() {
            let (above, left) = (&self.above[at % 4], &self.left[at / 4]);
            match mode {
                TRUE_MOTION => {
                    for (lane, to) in lanes.iter_mut().enumerate() {
                        *to = (left[lane] + above[lane] - self.corner[lane]).clamp(0, 255);
                    }
                }
                VERTICAL => *lanes = *above,
                HORIZONTAL => *lanes = *left,
                _ => {}
            }
        }
        blocks
    }
}
