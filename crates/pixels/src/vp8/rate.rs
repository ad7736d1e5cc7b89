//! What modes and levels cost in bits / 256, by the probabilities at hand.

use super::blocks::{SUBBLOCK, WHOLE};
use super::probabilities::Probabilities;
use super::spell::{self, Chance};
use super::tables::{BANDS, SUBBLOCK_MODES, cost};
use std::sync::LazyLock;

/// Levels that the tree tells apart; larger ones have other extra bits only.
const TOLD_APART: usize = 68;

/// Levels that have a code.
const LEVELS: usize = 2048;

/// What is coded alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plane {
    /// Luma without its DC.
    LumaRest = 0,
    /// The DCs of a macroblock's luma.
    Second = 1,
    Chroma = 2,
    /// Luma with its DC.
    Luma = 3,
}

impl Plane {
    /// The first coefficient in coding order.
    pub(super) const fn first(self) -> usize {
        matches!(self, Self::LumaRest) as usize
    }
}

/// What the mode of a subblock costs, by the modes above it and to its left.
/// Lanes that are no mode cost as much as can be said.
pub(super) static SUBBLOCK_COSTS: LazyLock<[[[u16; 16]; SUBBLOCK]; SUBBLOCK]> = LazyLock::new(|| {
    SUBBLOCK_MODES.map(|row| {
        row.map(|chances| {
            let mut costs = [u16::MAX; 16];
            for (mode, cost_of) in costs.iter_mut().take(SUBBLOCK).enumerate() {
                let mut sum = 0;
                spell::subblock(mode as u8, &chances, |bit, chance| sum += cost(bit, chance));
                *cost_of = sum as u16;
            }
            costs
        })
    })
});

/// What the modes of whole macroblocks cost: of luma, and of chroma.
pub(super) fn mode_costs() -> [[u32; WHOLE]; 2] {
    let (mut luma, mut chroma) = ([0; WHOLE], [0; WHOLE]);
    for (mode, (luma, chroma)) in (0..).zip(luma.iter_mut().zip(&mut chroma)) {
        spell::whole(mode, |bit, chance| *luma += cost(bit, chance));
        spell::chroma(mode, |bit, chance| *chroma += cost(bit, chance));
    }
    [luma, chroma]
}

/// What it costs to say that subblocks have modes of their own.
pub(super) fn split_cost() -> u32 {
    let mut sum = 0;
    spell::split(|bit, chance| sum += cost(bit, chance));
    sum
}

/// The sign and the extra bits of a level.
static EXTRA: LazyLock<[u16; LEVELS]> = LazyLock::new(|| {
    std::array::from_fn(|level| {
        let mut sum = if level > 0 { 256 } else { 0 };
        spell::magnitude(level as u16, |bit, chance| {
            if let Chance::Fixed(chance) = chance {
                sum += cost(bit, chance);
            }
        });
        sum as u16
    })
});

/// What levels cost in a place: that there are more, the tree, the extra bits and
/// the sign.
type Place = [u16; TOLD_APART];

/// Costs of sixteen events for a shuffle of bytes: the lower halves, then the upper.
pub(super) type Table = [u8; 32];

fn table(cost: impl Fn(usize) -> u32) -> Table {
    let mut table = [0; 32];
    for at in 0..16 {
        [table[at], table[16 + at]] = (cost(at) as u16).to_le_bytes();
    }
    table
}

/// Levels below this are in tables.
pub(super) const TABLED: usize = 16;

/// What the levels of one plane's blocks cost.
#[derive(Debug)]
pub(super) struct PlaneRates {
    /// The first coefficient in coding order.
    pub(super) first: usize,
    /// That there are none, or some, by how many neighbours have any.
    pub(super) start: [Table; 2],
    /// Levels up to 15 by their place and by how large the one before was: 0, 1 or
    /// more; for the first, by neighbours.
    pub(super) levels: [[Table; 3]; 16],
    /// That a level of 1, or a larger one, is the last of its block; alike for all.
    pub(super) ends: [[Table; 2]; 16],
    /// By band, and by the one before.
    places: [[Place; 3]; 8],
    extra: &'static [u16; LEVELS],
}

impl PlaneRates {
    fn new(plane: Plane, bands: &[[[u8; 11]; 3]; 8]) -> Self {
        let (extra, first) = (&*EXTRA, plane.first());
        let place = |before: usize, chances: &[u8; 11]| -> Place {
            // Whether there are more is not asked after a 0.
            let more = if before > 0 { cost(true, chances[0]) } else { 0 };
            std::array::from_fn(|level| {
                let mut sum = more + u32::from(extra[level]);
                spell::magnitude(level as u16, |bit, chance| {
                    if let Chance::Branch(at) = chance {
                        sum += cost(bit, chances[at]);
                    }
                });
                sum as u16
            })
        };
        let places =
            bands.each_ref().map(|contexts| std::array::from_fn(|before| place(before, &contexts[before])));
        let levels = std::array::from_fn(|at| {
            std::array::from_fn(|before| table(|level| places[BANDS[at]][before][level].into()))
        });
        let ends = std::array::from_fn(|at| {
            [1, 2].map(|level: usize| {
                let end = if at == 15 { 0 } else { cost(false, bands[BANDS[at + 1]][level][0]) };
                table(|_| end)
            })
        });
        let any = |neighbours: usize| bands[BANDS[first]][neighbours.min(2)][0];
        let none = table(|neighbours| cost(false, any(neighbours)));
        let some = table(|neighbours| if neighbours == 0 { cost(true, any(0)) } else { 0 });
        Self { first, start: [none, some], levels, ends, places, extra }
    }

    /// What a block costs: `coded` of its coefficients, whose levels `level` tells
    /// by their place in coding order, after `neighbours` (0–2) that have any. More
    /// than 255 bits count as that.
    pub(super) fn block(&self, neighbours: usize, coded: usize, level: impl Fn(usize) -> i16) -> u16 {
        let read = |table: &Table, at: usize| u32::from(u16::from_le_bytes([table[at], table[16 + at]]));
        if coded <= self.first {
            return read(&self.start[0], neighbours) as u16;
        }
        let mut sum = read(&self.start[1], neighbours);
        let mut before = neighbours;
        for (at, band) in BANDS.into_iter().enumerate().take(coded).skip(self.first) {
            let level = usize::from(level(at).unsigned_abs());
            sum += u32::from(self.places[band][before][level.min(TOLD_APART - 1)]);
            if level >= TOLD_APART {
                let extra = |level: usize| u32::from(self.extra[level.min(LEVELS - 1)]);
                sum = sum + extra(level) - extra(TOLD_APART - 1);
            }
            before = level.min(2);
        }
        sum += read(&self.ends[coded - 1][before - 1], 0);
        sum.min(u16::MAX.into()) as u16
    }
}

/// What the levels of blocks cost.
#[derive(Debug)]
pub(super) struct Rates(Box<[PlaneRates; 4]>);

impl Rates {
    pub(super) fn new(probabilities: &Probabilities) -> Self {
        let planes = [Plane::LumaRest, Plane::Second, Plane::Chroma, Plane::Luma];
        Self(Box::new(planes.map(|plane| PlaneRates::new(plane, &probabilities[plane as usize]))))
    }

    pub(super) fn of(&self, plane: Plane) -> &PlaneRates {
        &self.0[plane as usize]
    }
}
