//! The samples around a macroblock that predictions are made from. Owns what
//! stands for those beyond the picture's edges (RFC 6386, section 12.2), and
//! keeps one row of macroblocks.

use super::kernels::Trial;
use super::predict::{Edge, Surroundings};
use super::source::Macroblock;

/// What lies above the first row.
const ABOVE: u8 = 127;
/// What lies to the left of the first column, corners below the first row too.
const LEFT: u8 = 129;

/// The last row and column of a macroblock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Edges {
    pub(super) bottom: [u8; 16],
    pub(super) right: [u8; 16],
    /// Of Cb and of Cr.
    pub(super) chroma_bottom: [[u8; 8]; 2],
    pub(super) chroma_right: [[u8; 8]; 2],
}

impl Edges {
    pub(super) fn of(macroblock: &Macroblock) -> Self {
        Self {
            bottom: macroblock.luma[15],
            right: macroblock.luma.map(|row| row[15]),
            chroma_bottom: macroblock.chroma.map(|plane| plane[7]),
            chroma_right: macroblock.chroma.map(|plane| plane.map(|row| row[7])),
        }
    }
}

/// A plane's part.
#[derive(Debug)]
struct Plane<const N: usize> {
    above: Vec<[u8; N]>,
    left: [u8; N],
    corner: u8,
}

impl<const N: usize> Plane<N> {
    fn new(columns: usize) -> Self {
        Self { above: vec![[ABOVE; N]; columns], left: [LEFT; N], corner: ABOVE }
    }

    const fn start_row(&mut self, y: usize) {
        self.left = [LEFT; N];
        self.corner = if y == 0 { ABOVE } else { LEFT };
    }

    /// The mean of the row above and the column to the left, as far as they are
    /// of the picture.
    fn mean(&self, (x, y): (usize, usize)) -> u8 {
        let sum = |samples: &[u8; N]| samples.iter().map(|&sample| u32::from(sample)).sum::<u32>();
        let (above, left) = match (x > 0, y > 0) {
            (false, false) => return 128,
            (true, true) => (sum(&self.above[x]), sum(&self.left)),
            (true, false) => (sum(&self.left), sum(&self.left)),
            (false, true) => (sum(&self.above[x]), sum(&self.above[x])),
        };
        let count = 2 * N as u32;
        ((above + left + count / 2) / count) as u8
    }

    fn leave(&mut self, x: usize, bottom: [u8; N], right: [u8; N]) {
        self.corner = self.above[x][N - 1];
        self.above[x] = bottom;
        self.left = right;
    }
}

/// What surrounds one macroblock after the other.
#[derive(Debug)]
pub(super) struct Borders {
    luma: Plane<16>,
    chroma: [Plane<8>; 2],
    at: (usize, usize),
}

impl Borders {
    pub(super) fn new(columns: usize) -> Self {
        Self { luma: Plane::new(columns), chroma: [Plane::new(columns), Plane::new(columns)], at: (0, 0) }
    }

    /// Goes to the start of row `y`.
    pub(super) fn start_row(&mut self, y: usize) {
        self.luma.start_row(y);
        self.chroma.iter_mut().for_each(|plane| plane.start_row(y));
        self.at = (0, y);
    }

    /// Leaves a macroblock that a decoder sees with these edges, for the next.
    pub(super) fn leave(&mut self, edges: &Edges) {
        let x = self.at.0;
        self.luma.leave(x, edges.bottom, edges.right);
        let each = edges.chroma_bottom.into_iter().zip(edges.chroma_right);
        for (plane, (bottom, right)) in self.chroma.iter_mut().zip(each) {
            plane.leave(x, bottom, right);
        }
        self.at.0 += 1;
    }

    pub(super) fn luma(&self) -> Surroundings {
        let Plane { above, left, corner } = &self.luma;
        Surroundings::luma(&above[self.at.0], left, *corner, self.luma.mean(self.at))
    }

    pub(super) fn chroma(&self) -> Surroundings {
        let [u, v] = &self.chroma;
        let x = self.at.0;
        Surroundings::chroma(
            [&u.above[x], &v.above[x]],
            [&u.left, &v.left],
            [u.corner, v.corner],
            [u.mean(self.at), v.mean(self.at)],
        )
    }

    /// A macroblock's luma to be made subblock by subblock.
    pub(super) fn canvas(&self) -> Canvas {
        let x = self.at.0;
        let mut canvas = Canvas { rows: [[0; 21]; 17] };
        let above = self.luma.above[x];
        canvas.rows[0][0] = self.luma.corner;
        canvas.rows[0][1..17].copy_from_slice(&above);
        // Beyond the last column lies its last sample; all above the first row is alike.
        match self.luma.above.get(x + 1) {
            Some(next) => canvas.rows[0][17..].copy_from_slice(&next[..4]),
            None => canvas.rows[0][17..].fill(above[15]),
        }
        for (row, left) in canvas.rows[1..].iter_mut().zip(self.luma.left) {
            row[0] = left;
        }
        canvas
    }
}

/// A macroblock's luma with a row above it, four samples longer, and a column to
/// its left.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    rows: [[u8; 21]; 17],
}

impl Canvas {
    /// What surrounds subblock `at`; see [`Edge`].
    pub(super) fn edge(&self, at: usize) -> Edge {
        let (x, y) = (at % 4 * 4, at / 4 * 4);
        let mut edge = [0; 16];
        for (sample, row) in edge[1..5].iter_mut().zip(self.rows[y + 1..][..4].iter().rev()) {
            *sample = row[x];
        }
        edge[5..10].copy_from_slice(&self.rows[y][x..x + 5]);
        // Section 12.3: the last column looks at the row above the macroblock.
        let above = if x == 12 { 0 } else { y };
        edge[10..14].copy_from_slice(&self.rows[above][x + 5..][..4]);
        edge[0] = edge[1];
        edge[14] = edge[13];
        edge
    }

    /// Subblock `at` as a decoder sees it: a lane of a trial.
    pub(super) fn put(&mut self, at: usize, trial: &Trial, lane: usize) {
        let (x, y) = (at % 4 * 4, at / 4 * 4);
        for (row, samples) in self.rows[y + 1..].iter_mut().zip(trial.samples.as_chunks::<4>().0) {
            for (to, lanes) in row[x + 1..x + 5].iter_mut().zip(samples) {
                *to = lanes[lane] as u8;
            }
        }
    }

    /// Its last row and column.
    pub(super) fn edges(&self) -> ([u8; 16], [u8; 16]) {
        let bottom = std::array::from_fn(|x| self.rows[16][x + 1]);
        (bottom, std::array::from_fn(|y| self.rows[y + 1][16]))
    }
}
