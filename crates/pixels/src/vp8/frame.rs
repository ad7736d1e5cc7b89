//! The bytes of a key frame: its header, the modes of all macroblocks and the
//! levels (RFC 6386, sections 9, 11 and 19). Owns their order; decides nothing.

use super::choose::Luma;
use super::probabilities::{DEFAULTS, KEPT, Probabilities};
use super::quantizer::SEGMENTS;
use super::segments::Segments;
use super::spell;
use super::tables::SUBBLOCK_MODES;
use super::writer::Writer;

/// Bytes of the first partition, at most.
const MOST: usize = (1 << 19) - 1;

/// How a macroblock is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Modes {
    pub(super) segment: u8,
    pub(super) luma: Luma,
    pub(super) chroma: u8,
}

/// The first partition of a frame of `columns` macroblocks in a row: all but the
/// levels. `None` if the modes take more than a frame can hold.
pub(super) fn first_partition(
    columns: usize,
    segments: &Segments,
    modes: &[Modes],
    probabilities: &Probabilities,
) -> Option<Vec<u8>> {
    let mut writer = Writer::new();
    // Colour space, and clamping by the decoder.
    writer.bits(0, 2);
    let shares = segment_shares(segments, &mut writer);
    // The normal filter, as strong as it gets anywhere; no sharpness, no deltas.
    writer.flag(false);
    writer.bits(segments.all.iter().map(|segment| segment.filter).max().unwrap_or(0).into(), 6);
    writer.bits(0, 3);
    writer.flag(false);
    // One partition of levels.
    writer.bits(0, 2);
    writer.bits(segments.all[0].index.into(), 7);
    for shift in [0, 0, 0, segments.shift.dc, segments.shift.ac] {
        writer.signed(shift, 4);
    }
    // Probabilities are of this frame only.
    writer.flag(false);
    let both = probabilities.as_flattened().as_flattened().iter().zip(DEFAULTS.as_flattened().as_flattened());
    for ((sent, default), kept) in both.zip(KEPT.as_flattened().as_flattened()) {
        for ((&sent, &default), &kept) in sent.iter().zip(default).zip(kept) {
            writer.put(sent != default, kept);
            if sent != default {
                writer.bits(sent.into(), 8);
            }
        }
    }
    // No macroblock is marked as empty.
    writer.flag(false);
    write_modes(columns, modes, shares, &mut writer);
    let first = writer.finish();
    (first.len() <= MOST).then_some(first)
}

/// A frame of two partitions.
pub(super) fn write((width, height): (u32, u32), first: &[u8], levels: &[u8]) -> Vec<u8> {
    // A key frame, of version 0, to be shown.
    let tag = 1 << 4 | (first.len() as u32) << 5;
    let mut frame = Vec::with_capacity(10 + first.len() + levels.len());
    frame.extend_from_slice(&tag.to_le_bytes()[..3]);
    frame.extend_from_slice(&[0x9d, 0x01, 0x2a]);
    for side in [width, height] {
        frame.extend_from_slice(&(side as u16).to_le_bytes());
    }
    frame.extend_from_slice(first);
    frame.extend_from_slice(levels);
    frame
}

/// Writes what the segments are, and returns the probabilities of the tree that
/// tells them apart, if it must be told.
fn segment_shares(segments: &Segments, writer: &mut Writer) -> Option<[u8; 3]> {
    writer.flag(segments.count > 1);
    if segments.count == 1 {
        return None;
    }
    let mut counts = [0_usize; SEGMENTS];
    for &segment in &segments.map {
        counts[usize::from(segment)] += 1;
    }
    let share = |zeros: usize, ones: usize| {
        let all = zeros + ones;
        (255 * zeros + all / 2).checked_div(all).map_or(255, |share| share as u8)
    };
    let shares = [
        share(counts[0] + counts[1], counts[2] + counts[3]),
        share(counts[0], counts[1]),
        share(counts[2], counts[3]),
    ];
    // The map is sent, and so are steps and filters, as they are.
    writer.bits(0b111, 3);
    for segment in &segments.all {
        writer.signed(segment.index.into(), 7);
    }
    for segment in &segments.all {
        writer.signed(segment.filter.into(), 6);
    }
    for share in shares {
        writer.flag(share != 255);
        if share != 255 {
            writer.bits(share.into(), 8);
        }
    }
    Some(shares)
}

fn write_modes(columns: usize, modes: &[Modes], shares: Option<[u8; 3]>, writer: &mut Writer) {
    let mut above = vec![[0_u8; 4]; columns];
    for row in modes.chunks(columns) {
        let mut left = [0_u8; 4];
        for (modes, above) in row.iter().zip(&mut above) {
            if let Some([half, first, second]) = shares {
                writer.put(modes.segment >= 2, half);
                writer.put(modes.segment % 2 == 1, if modes.segment >= 2 { second } else { first });
            }
            match modes.luma {
                Luma::Whole(mode) => {
                    spell::whole(mode, |bit, zero| writer.put(bit, zero));
                    (*above, left) = ([mode; 4], [mode; 4]);
                }
                Luma::Split(modes) => {
                    spell::split(|bit, zero| writer.put(bit, zero));
                    for (at, mode) in modes.into_iter().enumerate() {
                        let (above, left) = (&mut above[at % 4], &mut left[at / 4]);
                        let chances = &SUBBLOCK_MODES[usize::from(*above)][usize::from(*left)];
                        spell::subblock(mode, chances, |bit, zero| writer.put(bit, zero));
                        (*above, *left) = (mode, mode);
                    }
                }
            }
            spell::chroma(modes.chroma, |bit, zero| writer.put(bit, zero));
        }
    }
}
