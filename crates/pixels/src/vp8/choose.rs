//! Which modes a macroblock is predicted by: what costs least, errors and bits
//! weighed against each other. Owns the decisions and the contexts that they
//! depend on; knows nothing of how they are written.

use super::blocks::{Blocks, DC, HORIZONTAL, Lanes, SUBBLOCK, TRUE_MOTION, VERTICAL, WHOLE};
use super::borders::{Borders, Edges};
use super::kernels::{ERROR, FLAT_PENALTY, Kernels, Trial, Weighing, backwards, hadamard};
use super::quantizer::{Matrix, Segment};
use super::rate::{self, Plane, Rates, SUBBLOCK_COSTS};
use super::segments::both;
use super::source::Macroblock;
use super::tables::ZIGZAG;
use super::tokens::Tokens;

/// Coefficients, DCs aside, of chroma without texture.
const FLAT_CHROMA: i16 = 2;

/// A block's levels in coding order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) levels: [i16; 16],
    /// Up to the last that is not 0.
    pub(super) coded: u8,
}

impl Levels {
    fn take(&mut self, trial: &Trial, lane: usize) {
        for (level, at) in self.levels.iter_mut().zip(ZIGZAG) {
            *level = trial.levels[at][lane];
        }
        self.coded = trial.coded[lane] as u8;
    }
}

/// The modes of a macroblock's luma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Luma {
    /// One for all of it.
    Whole(u8),
    /// One for each subblock.
    Split([u8; 16]),
}

/// What was decided of a macroblock.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    pub(super) luma: Luma,
    pub(super) chroma: u8,
    /// The DCs of luma that has one mode.
    pub(super) second: Levels,
    pub(super) luma_levels: [Levels; 16],
    pub(super) chroma_levels: [Levels; 8],
    /// What a decoder sees at its edges.
    pub(super) edges: Edges,
    /// The largest difference between blocks that have DCs alone, where it shows.
    pub(super) step: i32,
}

impl Decision {
    /// To be decided in.
    pub(super) fn new() -> Self {
        Self {
            luma: Luma::Whole(DC),
            chroma: DC,
            second: Levels::default(),
            luma_levels: [Levels::default(); 16],
            chroma_levels: [Levels::default(); 8],
            edges: Edges::default(),
            step: 0,
        }
    }
}

/// What is known of neighbours: which blocks have coefficients, the modes of
/// subblocks, and errors of chroma that are not yet made good.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    luma: [bool; 4],
    chroma: [[bool; 2]; 2],
    second: bool,
    modes: [u8; 4],
    errors: [[i32; 2]; 2],
}

/// Decides one macroblock after the other.
#[derive(Debug)]
pub(super) struct Chooser<K> {
    kernels: K,
    above: Vec<Side>,
    left: Side,
    mode_costs: [[u32; WHOLE]; 2],
    subblock_costs: &'static [[[u16; 16]; SUBBLOCK]; SUBBLOCK],
    split_cost: u32,
    /// Of the modes of macroblocks.
    trials: Box<[Trial; WHOLE]>,
    /// Of all modes of a subblock.
    subblock: Box<Trial>,
}

/// Errors and bits of a mode.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    errors: i64,
    bits: i64,
}

impl Cost {
    const fn at(self, price: i32) -> i64 {
        self.bits * price as i64 + self.errors * ERROR as i64
    }
}

/// What is asked of luma and chroma.
struct Question<'a> {
    x: usize,
    source: &'a Macroblock,
    borders: &'a Borders,
    segment: &'a Segment,
    rates: &'a Rates,
}

impl<K: Kernels> Chooser<K> {
    pub(super) fn new(kernels: K, columns: usize) -> Self {
        Self {
            kernels,
            above: vec![Side::default(); columns],
            left: Side::default(),
            mode_costs: rate::mode_costs(),
            subblock_costs: &SUBBLOCK_COSTS,
            split_cost: rate::split_cost(),
            trials: Box::new([const { Trial::new() }; WHOLE]),
            subblock: Box::new(Trial::new()),
        }
    }

    pub(super) fn start_row(&mut self) {
        self.left = Side::default();
    }

    /// Decides the macroblock in column `x`.
    pub(super) fn choose(
        &mut self,
        x: usize,
        source: &Macroblock,
        borders: &Borders,
        segment: &Segment,
        rates: &Rates,
        decision: &mut Decision,
    ) {
        let question = Question { x, source, borders, segment, rates };
        let blocks = source.luma_blocks();
        let textures = self.kernels.weigh(&blocks);
        let (mode, cost) = self.whole(&question, &blocks, &textures, decision);
        let most = cost.at(segment.prices.split);
        if !self.split(&question, &blocks, &textures, most, decision) {
            self.take(mode, decision);
        }
        self.chroma(&question, decision);
    }

    /// Luma with one mode, as its trial left it.
    fn take(&self, mode: u8, decision: &mut Decision) {
        let trial = &self.trials[usize::from(mode)];
        decision.luma = Luma::Whole(mode);
        for (lane, levels) in decision.luma_levels.iter_mut().enumerate() {
            levels.take(trial, lane);
        }
        for at in 0..16 {
            decision.edges.bottom[at] = trial.samples[12 + at % 4][12 + at / 4] as u8;
            decision.edges.right[at] = trial.samples[at % 4 * 4 + 3][at / 4 * 4 + 3] as u8;
        }
    }

    /// Hands on the levels of a macroblock as they are coded, and remembers for its
    /// neighbours what it is like.
    pub(super) fn record(&mut self, x: usize, decision: &Decision, tokens: &mut Tokens) {
        let (above, left) = (&mut self.above[x], &mut self.left);
        let mut block = |plane: Plane, above: &mut bool, left: &mut bool, levels: &Levels| {
            let neighbours = u8::from(*above) + u8::from(*left);
            tokens.block(plane, neighbours, levels.coded, &levels.levels);
            (*above, *left) = (levels.coded > 0, levels.coded > 0);
        };
        let (plane, modes) = match decision.luma {
            Luma::Whole(mode) => {
                block(Plane::Second, &mut above.second, &mut left.second, &decision.second);
                (Plane::LumaRest, [mode; 16])
            }
            Luma::Split(modes) => (Plane::Luma, modes),
        };
        for (at, levels) in decision.luma_levels.iter().enumerate() {
            block(plane, &mut above.luma[at % 4], &mut left.luma[at / 4], levels);
            (above.modes[at % 4], left.modes[at / 4]) = (modes[at], modes[at]);
        }
        for (at, levels) in decision.chroma_levels.iter().enumerate() {
            let (above, left) = (&mut above.chroma[at / 4], &mut left.chroma[at / 4]);
            block(Plane::Chroma, &mut above[at % 2], &mut left[at / 2 % 2], levels);
        }
    }

    /// The best mode for all of luma, and what it costs; its trial stays in its
    /// place. Decides `second` and `step`.
    fn whole(
        &mut self,
        question: &Question<'_>,
        blocks: &Blocks,
        textures: &[i32; 16],
        decision: &mut Decision,
    ) -> (u8, Cost) {
        let (segment, around) = (question.segment, question.borders.luma());
        let sides = (&self.above[question.x], &self.left);
        let mut flat = question.source.is_flat();
        let mut seconds = [Levels::default(); WHOLE];
        let mut costs = [Cost::default(); WHOLE];
        let each = self.trials.iter_mut().zip(&mut seconds).zip(&mut costs);
        for ((mode, bits), ((trial, second), cost)) in (0..).zip(self.mode_costs[0]).zip(each) {
            let predicted = around.predict(mode);
            let mut coefficients = [[0; 16]; 16];
            self.kernels.forward(blocks, &predicted, &mut coefficients);
            let (levels, means) = second_order(&coefficients[0], &segment.second);
            *second = levels;
            coefficients[0] = [0; 16];
            self.kernels.quantize(&mut coefficients, &segment.luma, trial);
            coefficients[0] = means;
            self.kernels.reconstruct(blocks, &predicted, &coefficients, Some(textures), trial);
            let texture = segment.prices.textured(trial.texture.iter().sum());
            cost.errors = i64::from(trial.squares.iter().sum::<i32>()) + i64::from(texture);
            // Of one colour, and still so: errors would show.
            flat &= trial.busy == [0; 16];
            if flat {
                cost.errors *= 2;
            }
            cost.bits = i64::from(bits) + whole_bits(self.kernels, question.rates, sides, second, trial);
        }
        let (best, cost) = cheapest(&costs, segment.prices.whole);
        let trial = &self.trials[best];
        decision.second = seconds[best];
        let bare = trial.coded == [0; 16] && decision.second.coded > 0;
        let step = |at: usize| i32::from(decision.second.levels[at]).abs();
        decision.step = if bare && trial.squares.iter().sum::<i32>() > segment.least_error() {
            step(1).max(step(2)).max(step(4))
        } else {
            0
        };
        (best as u8, cost)
    }

    /// Decides on the best mode of each subblock, if that costs less than `most`.
    fn split(
        &mut self,
        &Question { x, borders, segment, rates, .. }: &Question<'_>,
        blocks: &Blocks,
        textures: &[i32; 16],
        most: i64,
        decision: &mut Decision,
    ) -> bool {
        let (prices, trial) = (&segment.prices, &mut *self.subblock);
        let mut sum = i64::from(self.split_cost) * i64::from(prices.split);
        let mut canvas = borders.canvas();
        let mut modes = [0; 16];
        let (mut above, mut left) = (self.above[x], self.left);
        for (at, levels) in decision.luma_levels.iter_mut().enumerate() {
            let (column, row) = (at % 4, at / 4);
            let mode_costs =
                &self.subblock_costs[usize::from(above.modes[column])][usize::from(left.modes[row])];
            let mut source = [0; 16];
            for (sample, lanes) in source.iter_mut().zip(blocks) {
                *sample = lanes[at];
            }
            let weighing = Weighing {
                matrix: &segment.luma,
                prices,
                modes: mode_costs,
                rates: rates.of(Plane::Luma),
                neighbours: u8::from(above.luma[column]) + u8::from(left.luma[row]),
                texture: textures[at],
            };
            self.kernels.subblock(&source, &canvas.edge(at), weighing, trial);
            let mode = (0..SUBBLOCK).min_by_key(|&mode| trial.scores[mode]).unwrap_or(0);
            let bits = i64::from(mode_costs[mode]) + i64::from(trial.subblock_bits(mode));
            sum += Cost { errors: trial.errors(mode, prices), bits }.at(prices.split);
            if sum >= most {
                return false;
            }
            canvas.put(at, trial, mode);
            levels.take(trial, mode);
            modes[at] = mode as u8;
            (above.modes[column], left.modes[row]) = (mode as u8, mode as u8);
            (above.luma[column], left.luma[row]) = (levels.coded > 0, levels.coded > 0);
        }
        decision.luma = Luma::Split(modes);
        decision.step = 0;
        (decision.edges.bottom, decision.edges.right) = canvas.edges();
        true
    }

    /// Decides chroma.
    fn chroma(
        &mut self,
        &Question { x, source, borders, segment, rates }: &Question<'_>,
        decision: &mut Decision,
    ) {
        let (blocks, around) = (source.chroma_blocks(), borders.chroma());
        let (above, left) = (&mut self.above[x], &mut self.left);
        let mut errors = [[[0; 3]; 2]; WHOLE];
        let pairs = [(DC, TRUE_MOTION), (VERTICAL, HORIZONTAL)];
        let halves = self.trials.iter_mut().zip(errors.as_chunks_mut::<2>().0);
        for ((trial, errors), (first, second)) in halves.zip(pairs) {
            let predicted = both(&around, first, second);
            let mut coefficients = [[0; 16]; 16];
            self.kernels.forward(&blocks, &predicted, &mut coefficients);
            let means = &mut coefficients[0];
            for (at, (means, error)) in
                means.as_chunks_mut::<4>().0.iter_mut().zip(errors.as_flattened_mut()).enumerate()
            {
                *error = diffuse(means, above.errors[at % 2], left.errors[at % 2], &segment.chroma);
            }
            self.kernels.quantize(&mut coefficients, &segment.chroma, trial);
            self.kernels.reconstruct(&blocks, &predicted, &coefficients, None, trial);
            let neighbours = chroma_neighbours(above.chroma, left.chroma, &trial.coded);
            self.kernels.count(rates.of(Plane::Chroma), &neighbours, trial);
        }
        let trials = &self.trials;
        // Two modes in each trial.
        let place = |mode: usize| (&trials[mode / 2], mode % 2 * 8);
        let mut costs = [Cost::default(); WHOLE];
        for (mode, (cost, bits)) in costs.iter_mut().zip(self.mode_costs[1]).enumerate() {
            let (trial, first) = place(mode);
            let busy: i16 = trial.busy[first..first + 8].iter().sum();
            let penalty = if mode > 0 && busy <= FLAT_CHROMA { 8 * FLAT_PENALTY } else { 0 };
            cost.errors = trial.squares[first..first + 8].iter().sum::<i32>().into();
            let levels: i64 = trial.bits[first..first + 8].iter().map(|&bits| i64::from(bits)).sum();
            cost.bits = i64::from(bits) + i64::from(penalty) + levels;
        }
        let (mode, _) = cheapest(&costs, segment.prices.chroma);
        let (trial, first) = place(mode);
        decision.chroma = mode as u8;
        for (lane, levels) in decision.chroma_levels.iter_mut().enumerate() {
            levels.take(trial, first + lane);
        }
        for (plane, [right, below, both]) in errors[mode].into_iter().enumerate() {
            let sample = |at: usize, lane: usize| trial.samples[at][first + 4 * plane + lane] as u8;
            let edges = &mut decision.edges;
            edges.chroma_bottom[plane] = std::array::from_fn(|x| sample(12 + x % 4, 2 + x / 4));
            edges.chroma_right[plane] = std::array::from_fn(|y| sample(y % 4 * 4 + 3, y / 4 * 2 + 1));
            let across = (3 * both) >> 2;
            left.errors[plane] = [right, across];
            above.errors[plane] = [below, both - across];
        }
    }
}

/// The mode that costs least.
fn cheapest(costs: &[Cost; WHOLE], price: i32) -> (usize, Cost) {
    let best = (0..WHOLE).min_by_key(|&mode| costs[mode].at(price)).unwrap_or(0);
    (best, costs[best])
}

/// What the levels of luma with one mode cost, among `above` and `left`.
fn whole_bits(
    kernels: impl Kernels,
    rates: &Rates,
    (above, left): (&Side, &Side),
    second: &Levels,
    trial: &mut Trial,
) -> i64 {
    let neighbours = usize::from(above.second) + usize::from(left.second);
    let bits = rates.of(Plane::Second).block(neighbours, second.coded.into(), |at| second.levels[at]);
    let mut neighbours = [0; 16];
    for (at, neighbours) in neighbours.iter_mut().enumerate() {
        let above = if at < 4 { above.luma[at] } else { trial.coded[at - 4] > 0 };
        let left = if at % 4 == 0 { left.luma[at / 4] } else { trial.coded[at - 1] > 0 };
        *neighbours = u8::from(above) + u8::from(left);
    }
    kernels.count(rates.of(Plane::LumaRest), &neighbours, trial);
    i64::from(bits) + trial.bits.iter().map(|&bits| i64::from(bits)).sum::<i64>()
}

/// Neighbours that have coefficients, of each block of two modes of chroma.
fn chroma_neighbours(above: [[bool; 2]; 2], left: [[bool; 2]; 2], coded: &Lanes) -> [u8; 16] {
    let mut neighbours = [0; 16];
    for (at, neighbours) in neighbours.iter_mut().enumerate() {
        let (plane, down, across) = (at / 4 % 2, at / 2 % 2, at % 2);
        let above = if down == 0 { above[plane][across] } else { coded[at - 2] > 0 };
        let left = if across == 0 { left[plane][down] } else { coded[at - 1] > 0 };
        *neighbours = u8::from(above) + u8::from(left);
    }
    neighbours
}

/// The DCs of sixteen blocks, transformed once more (section 14.3) and
/// quantized: their levels, and what a decoder has of them.
fn second_order(means: &[i16; 16], matrix: &Matrix) -> (Levels, [i16; 16]) {
    let mut rows = means.map(i32::from);
    for row in rows.as_chunks_mut::<4>().0 {
        *row = hadamard(*row);
    }
    let mut coded = [0; 16];
    let mut levels = [0; 16];
    for x in 0..4 {
        let column = hadamard([0, 4, 8, 12].map(|row| rows[row + x]));
        for (y, value) in column.into_iter().enumerate() {
            let at = 4 * y + x;
            levels[at] = matrix.level(at, value >> 1);
            coded[at] = i32::from(levels[at]) * i32::from(matrix.step(at).size);
        }
    }
    let levels = ZIGZAG.map(|at| levels[at]);
    let last = levels.iter().rposition(|&level| level != 0);
    (Levels { levels, coded: last.map_or(0, |last| last as u8 + 1) }, unwalsh(coded))
}

/// The inverse of the second transform.
fn unwalsh(values: [i32; 16]) -> [i16; 16] {
    let pass = |[a, b, c, d]: [i32; 4]| {
        let (outer, inner, bend, tilt) = (a + d, b + c, b - c, a - d);
        [outer + inner, tilt + bend, outer - inner, tilt - bend]
    };
    backwards(values, 3, pass).map(|value| value as i16)
}

/// Quantizes the DCs of four blocks, each with a part of what its neighbours above
/// and to the left have lost: chroma that is all but flat keeps its mean. Returns
/// what the second, the third and the fourth lost.
fn diffuse(means: &mut [i16; 4], above: [i32; 2], left: [i32; 2], matrix: &Matrix) -> [i32; 3] {
    let mut quantize = |at: usize, above: i32, left: i32| {
        let value = i32::from(means[at]) + ((7 * above + 8 * left) >> 3);
        let kept = i32::from(matrix.level(0, value)) * i32::from(matrix.dc.size);
        means[at] = kept as i16;
        (value - kept) >> 1
    };
    let first = quantize(0, above[0], left[0]);
    let second = quantize(1, above[1], first);
    let third = quantize(2, first, left[1]);
    [second, third, quantize(3, second, third)]
}
