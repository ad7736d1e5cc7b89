//! The levels of a picture while their probabilities are not known. Owns how often
//! each branch was taken, and which probabilities pay for being sent.

use super::probabilities::{DEFAULTS, KEPT, Probabilities};
use super::rate::Plane;
use super::spell::{self, Chance};
use super::tables::{BANDS, cost};
use super::writer::Writer;

/// All branches of all trees.
const BRANCHES: usize = 4 * 8 * 3 * 11;

/// Levels in a page: they are never moved.
const PAGE: usize = 1 << 15;

/// Where and how a block is coded.
#[derive(Debug, Clone, Copy)]
struct Block {
    plane: u8,
    neighbours: u8,
    coded: u8,
}

impl Block {
    /// The branches of the tree for the level at `at` after one as large as `before`.
    const fn tree(self, at: usize, before: usize) -> usize {
        ((self.plane as usize * 8 + BANDS[at]) * 3 + before) * 11
    }

    /// Every bit of the block: a branch, or a probability, and what is there.
    #[inline]
    fn spell(self, first: usize, levels: &[i16], mut put: impl FnMut(bool, usize, Chance)) {
        let coded = self.coded.into();
        let mut tree = self.tree(first, self.neighbours.into());
        put(coded > first, tree, Chance::Branch(0));
        for (at, &level) in (first..coded).zip(levels) {
            let size = level.unsigned_abs();
            spell::magnitude(size, |bit, chance| put(bit, tree, chance));
            tree = self.tree(at + 1, size.min(2).into());
            if size > 0 {
                put(level < 0, tree, Chance::Fixed(128));
                if at < 15 {
                    put(at + 1 < coded, tree, Chance::Branch(0));
                }
            }
        }
    }
}

/// The levels of all blocks so far.
#[derive(Debug)]
pub(super) struct Tokens {
    blocks: Vec<Block>,
    /// Pages of levels in the order of blocks; a block lies on one page.
    pages: Vec<Vec<i16>>,
    /// How often each branch was met, and how often it was a 1.
    counts: Box<[[u32; 2]; BRANCHES]>,
}

impl Tokens {
    /// For a picture of so many macroblocks.
    pub(super) fn new(macroblocks: usize) -> Self {
        let counts = Box::new([[0; 2]; BRANCHES]);
        Self { blocks: Vec::with_capacity(25 * macroblocks), pages: Vec::new(), counts }
    }

    /// Adds a block whose `levels` (in coding order) are 0 from `coded` on, after
    /// `neighbours` (0–2) that have any.
    pub(super) fn block(&mut self, plane: Plane, neighbours: u8, coded: u8, levels: &[i16; 16]) {
        let block = Block { plane: plane as u8, neighbours, coded };
        let levels = levels.get(plane.first()..coded.into()).unwrap_or_default();
        let counts = &mut self.counts;
        block.spell(plane.first(), levels, |bit, tree, chance| {
            if let Chance::Branch(branch) = chance {
                let [met, ones] = &mut counts[tree + branch];
                *met += 1;
                *ones += u32::from(bit);
            }
        });
        self.blocks.push(block);
        match self.pages.last_mut() {
            Some(page) if page.len() + 16 <= PAGE => page.extend_from_slice(levels),
            _ => {
                let mut page = Vec::with_capacity(PAGE);
                page.extend_from_slice(levels);
                self.pages.push(page);
            }
        }
    }

    /// The probabilities that make a file of the blocks so far smallest.
    pub(super) fn probabilities(&self) -> Probabilities {
        let mut probabilities = DEFAULTS;
        let all = probabilities.as_flattened_mut().as_flattened_mut().as_flattened_mut();
        let kept = KEPT.as_flattened().as_flattened().as_flattened();
        for ((zero, &kept), &[met, ones]) in all.iter_mut().zip(kept).zip(&*self.counts) {
            let bits = |zero: u8| {
                u64::from(ones) * u64::from(cost(true, zero))
                    + u64::from(met - ones) * u64::from(cost(false, zero))
            };
            let better = if ones == 0 { 255 } else { 255 - (u64::from(ones) * 255 / u64::from(met)) as u8 };
            let sent = bits(better) + u64::from(cost(true, kept)) + 8 * 256;
            if sent < bits(*zero) + u64::from(cost(false, kept)) {
                *zero = better;
            }
        }
        probabilities
    }

    /// All bits as a partition.
    pub(super) fn write(&self, probabilities: &Probabilities) -> Vec<u8> {
        let all = probabilities.as_flattened().as_flattened().as_flattened();
        let mut writer = Writer::new();
        let mut pages = self.pages.iter();
        let mut levels: &[i16] = &[];
        for block in &self.blocks {
            let first = usize::from(block.plane == Plane::LumaRest as u8);
            let count = usize::from(block.coded).saturating_sub(first);
            if count > levels.len() {
                levels = pages.next().map_or(&[], Vec::as_slice);
            }
            let (here, after) = levels.split_at(count);
            levels = after;
            block.spell(first, here, |bit, tree, chance| match chance {
                Chance::Branch(branch) => writer.put(bit, all[tree + branch]),
                Chance::Fixed(zero) => writer.put(bit, zero),
            });
        }
        writer.finish()
    }
}
