//! VP8 key frames, the lossy pictures of WebP: planes in, a frame out.
//!
//! Owns the encoder: segments → modes → levels → bits. It decides as libwebp does
//! at its default effort, so that a quality means the same, and does so on sixteen
//! blocks at a time: the ten modes of a subblock side by side, or the blocks of a
//! macroblock. Refuses nothing but what a frame cannot hold; knows no container.

mod blocks;
mod borders;
mod choose;
mod frame;
mod kernels;
mod predict;
mod probabilities;
mod quantizer;
mod rate;
mod segments;
mod source;
mod spell;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;
mod writer;

use crate::planes::WebpPlanes;
use borders::Borders;
use choose::{Chooser, Decision};
use frame::Modes;
use kernels::{Kernels, Portable};
use probabilities::DEFAULTS;
use rate::Rates;
use segments::Segments;
use source::{Macroblock, Source};
use tokens::Tokens;

/// The frame of `planes` (1–16,383 pixels a side), at a `quality` of 0–100 in
/// libwebp's scale. `None` if the modes of its macroblocks take more than the
/// 512 KiB that a frame has for them.
pub(crate) fn encode(planes: &WebpPlanes, quality: u8) -> Option<Vec<u8>> {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernels) = kernels::Avx2::summon() {
        return encode_with(kernels, planes, quality);
    }
    encode_with(Portable, planes, quality)
}

/// How often the rates follow what was written, in a picture.
const REFRESHES: usize = 8;

/// Macroblocks that tell too little.
const FEW: usize = 96;

fn encode_with(kernels: impl Kernels, planes: &WebpPlanes, quality: u8) -> Option<Vec<u8>> {
    let source = Source::new(planes);
    let mut segments = Segments::of(kernels, &source, quality);
    let total = source.columns * source.rows;
    let refresh = (total / REFRESHES).max(FEW);
    let mut rates = Rates::new(&DEFAULTS);
    let mut tokens = Tokens::new(total);
    let mut modes: Vec<Modes> = Vec::with_capacity(total);
    let mut borders = Borders::new(source.columns);
    let mut chooser = Chooser::new(kernels, source.columns);
    let (mut macroblock, mut decision) = (Macroblock::new(), Decision::new());
    let mut steps = [0; quantizer::SEGMENTS];
    for y in 0..source.rows {
        borders.start_row(y);
        chooser.start_row();
        for x in 0..source.columns {
            if !modes.is_empty() && modes.len().is_multiple_of(refresh) {
                rates = Rates::new(&tokens.probabilities());
            }
            source.read(x, y, &mut macroblock);
            let segment = segments.map[modes.len()];
            let parameters = &segments.all[usize::from(segment)];
            chooser.choose(x, &macroblock, &borders, parameters, &rates, &mut decision);
            chooser.record(x, &decision, &mut tokens);
            borders.leave(&decision.edges);
            let step = &mut steps[usize::from(segment)];
            *step = decision.step.max(*step);
            modes.push(Modes { segment, luma: decision.luma, chroma: decision.chroma });
        }
    }
    for (segment, step) in segments.all.iter_mut().zip(steps) {
        segment.smooth(step);
    }
    let probabilities = tokens.probabilities();
    // Before the levels, which take longest.
    let first = frame::first_partition(source.columns, &segments, &modes, &probabilities)?;
    let levels = tokens.write(&probabilities);
    Some(frame::write((planes.width, planes.height), &first, &levels))
}
