//! The sequence header of an AV1 bit stream: the size, depth and colour that
//! its frames will have. Refuses what does not begin with one.
//!
//! Source: AV1 Bitstream & Decoding Process Specification 1.0.0 with Errata 1,
//! 5.3 (OBU syntax) and 5.5 (sequence header OBU syntax).

use super::bits::Bits;
use super::cicp::Cicp;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// What a sequence header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) profile: u8,
    /// Of the first operating point.
    pub(crate) level: u8,
    pub(crate) tier: bool,
    /// The largest size of a frame, in pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Bits of a sample: 8, 10 or 12.
    pub(crate) depth: u8,
    pub(crate) monochrome: bool,
    /// Whether chroma has half the width, and half the height.
    pub(crate) subsampled: (bool, bool),
    pub(crate) chroma_position: u8,
    pub(crate) cicp: Cicp,
}

/// `data` without the temporal delimiters that it opens with, which have no
/// place in a file (AV1 in ISOBMFF 1.2, 2.4).
pub(crate) fn without_delimiter(mut data: &[u8]) -> &[u8] {
    while let Some(unit) = Unit::first(data).filter(|unit| unit.kind == TEMPORAL_DELIMITER) {
        data = unit.rest;
    }
    data
}

/// The frames of `data`; `None` where a unit is cut off or forbidden.
pub(crate) fn frames(mut data: &[u8]) -> Option<usize> {
    let mut count = 0;
    while !data.is_empty() {
        let unit = Unit::first(data)?;
        count += usize::from(matches!(unit.kind, FRAME_HEADER | FRAME));
        data = unit.rest;
    }
    Some(count)
}

/// One open bit stream unit.
struct Unit<'a> {
    kind: u8,
    payload: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Unit<'a> {
    fn first(data: &'a [u8]) -> Option<Self> {
        let (&header, mut rest) = data.split_first()?;
        if header & 0x80 != 0 {
            return None; // the forbidden bit
        }
        if header & 4 != 0 {
            rest = rest.get(1..)?; // the extension
        }
        let (payload, rest) = if header & 2 != 0 {
            let (length, rest) = leb128(rest)?;
            rest.split_at_checked(length)?
        } else {
            (rest, &[][..])
        };
        Some(Self { kind: header >> 3 & 15, payload, rest })
    }
}

/// A length of at most 8 groups of 7 bits, and what follows it.
fn leb128(data: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (i, &byte) in data.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &data[i + 1..]));
        }
    }
    None
}

impl Sequence {
    /// Reads the first sequence header of `data`, with temporal delimiters or
    /// metadata before it; `None` where there is none, or it breaks off.
    pub(crate) fn read(mut data: &[u8]) -> Option<Self> {
        loop {
            let unit = Unit::first(data)?;
            if unit.kind == SEQUENCE_HEADER {
                return Self::parse(Bits::new(unit.payload));
            }
            data = unit.rest;
        }
    }

    fn parse(mut bits: Bits<'_>) -> Option<Self> {
        let profile = bits.take(3)? as u8;
        let _still_picture = bits.flag()?;
        let reduced = bits.flag()?;
        let (mut level, mut tier) = (0, false);
        if reduced {
            level = bits.take(5)? as u8;
        } else {
            let mut decoder_model = None;
            if bits.flag()? {
                bits.take(32)?; // units in a display tick
                bits.take(32)?; // time scale
                if bits.flag()? {
                    bits.golomb()?;
                }
                if bits.flag()? {
                    let delay_bits = bits.take(5)? + 1;
                    bits.take(32)?; // units in a decoding tick
                    bits.take(10)?;
                    decoder_model = Some(delay_bits);
                }
            }
            let display_delay = bits.flag()?;
            for point in 0..=bits.take(5)? {
                bits.take(12)?; // the layers of the operating point
                let (its_level, mut its_tier) = (bits.take(5)? as u8, false);
                if its_level > 7 {
                    its_tier = bits.flag()?;
                }
                if point == 0 {
                    (level, tier) = (its_level, its_tier);
                }
                if let Some(delay_bits) = decoder_model
                    && bits.flag()?
                {
                    bits.take(delay_bits)?;
                    bits.take(delay_bits)?;
                    bits.flag()?;
                }
                if display_delay && bits.flag()? {
                    bits.take(4)?;
                }
            }
        }
        let width_bits = bits.take(4)? + 1;
        let height_bits = bits.take(4)? + 1;
        let width = bits.take(width_bits)? + 1;
        let height = bits.take(height_bits)? + 1;
        let frame_ids = !reduced && bits.flag()?;
        if frame_ids {
            bits.take(4 + 3)?;
        }
        bits.take(3)?; // 128×128 superblocks, filter intra, intra edge filter
        if !reduced {
            bits.take(4)?; // interintra, masked compound, warped motion, dual filter
            if bits.flag()? {
                bits.take(2)?; // order hints: joint compound, reference frame motion vectors
                Self::skip_screen_content(&mut bits)?;
                bits.take(3)?;
            } else {
                Self::skip_screen_content(&mut bits)?;
            }
        }
        bits.take(3)?; // superres, CDEF, restoration
        Self::colour(
            bits,
            Self {
                profile,
                level,
                tier,
                width,
                height,
                depth: 8,
                monochrome: false,
                subsampled: (true, true),
                chroma_position: 0,
                cicp: Cicp { primaries: 2, transfer: 2, matrix: 2, full_range: false },
            },
        )
    }

    fn skip_screen_content(bits: &mut Bits<'_>) -> Option<()> {
        let chosen_by_frame = bits.flag()?;
        let tools = chosen_by_frame || bits.flag()?;
        if tools && !bits.flag()? {
            bits.flag()?;
        }
        Some(())
    }

    fn colour(mut bits: Bits<'_>, sequence: Self) -> Option<Self> {
        let mut out = sequence;
        if bits.flag()? {
            out.depth = if out.profile == 2 && bits.flag()? { 12 } else { 10 };
        }
        out.monochrome = out.profile != 1 && bits.flag()?;
        if bits.flag()? {
            out.cicp.primaries = bits.take(8)? as u16;
            out.cicp.transfer = bits.take(8)? as u16;
            out.cicp.matrix = bits.take(8)? as u16;
        }
        if out.monochrome {
            out.cicp.full_range = bits.flag()?;
            return Some(out);
        }
        // sRGB samples as they are: always whole and of full range.
        if (out.cicp.primaries, out.cicp.transfer, out.cicp.matrix) == (1, 13, 0) {
            out.cicp.full_range = true;
            out.subsampled = (false, false);
            return Some(out);
        }
        out.cicp.full_range = bits.flag()?;
        out.subsampled = match (out.profile, out.depth) {
            (0, _) => (true, true),
            (1, _) => (false, false),
            (_, 12) => {
                let across = bits.flag()?;
                (across, across && bits.flag()?)
            }
            _ => (true, false),
        };
        if out.subsampled == (true, true) {
            out.chroma_position = bits.take(2)? as u8;
        }
        Some(out)
    }
}
