//! The configuration of an HEVC picture: its parameter sets, and what the
//! sequence parameter set says of size and depth. Refuses several sequence
//! parameter sets: the size that is checked must be the size that is decoded.
//!
//! Sources: ISO/IEC 14496-15, 8.3.3.1 (`hvcC`); ITU-T H.265, 7.3.2.2 (sequence
//! parameter set), 7.3.3 (profile, tier and level).

use super::Fault;
use super::bits::Bits;
use super::boxes::Reader;

const SEQUENCE: u8 = 33;

/// Most bytes and units of one configuration, which is read for each tile.
const MOST_BYTES: usize = 1 << 14;
const MOST_UNITS: usize = 64;

/// An `hvcC` property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Configuration<'a> {
    /// Bytes of the length before each unit.
    length_size: usize,
    /// Units of parameters, without length or start code.
    pub(crate) parameters: Vec<&'a [u8]>,
    pub(crate) sequence: Sequence,
}

/// A sequence parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// Without chroma; else 4:2:0.
    pub(crate) monochrome: bool,
    /// Bits of a sample.
    pub(crate) depth: u8,
    /// Size in samples as coded, in whole coding blocks.
    pub(crate) coded: (u32, u32),
    /// What is not shown: left, right, top, bottom, in luma samples.
    pub(crate) hidden: [u32; 4],
}

impl<'a> Configuration<'a> {
    pub(crate) fn read(content: &'a [u8]) -> Result<Self, Fault> {
        if content.len() > MOST_BYTES {
            return Err(Fault::unsupported("a very long HEVC configuration"));
        }
        let mut reader = Reader::new(content, *b"hvcC");
        reader.bytes(21)?; // profile, level and what the sequence parameter set repeats
        let length_size = usize::from(reader.u8()? & 3) + 1;
        let (mut parameters, mut sequence) = (Vec::new(), None);
        for _ in 0..reader.u8()? {
            let kind = reader.u8()? & 0x3f;
            for _ in 0..reader.u16()? {
                let length = usize::from(reader.u16()?);
                let unit = reader.bytes(length)?;
                if kind == SEQUENCE {
                    if sequence.is_some() {
                        return Err(Fault::unsupported("several HEVC sequence parameter sets"));
                    }
                    sequence = Some(Sequence::read(unit)?);
                }
                // The unit says its kind itself, and a decoder would believe it.
                if unit.first().is_none_or(|head| head >> 1 & 0x3f != kind) {
                    return Err(Fault::malformed("its HEVC configuration contradicts itself"));
                }
                if parameters.len() >= MOST_UNITS {
                    return Err(Fault::unsupported("very many HEVC parameter sets"));
                }
                parameters.push(unit);
            }
        }
        let sequence = sequence.ok_or_else(|| Fault::malformed("its HEVC configuration has no sequence"))?;
        Ok(Self { length_size, parameters, sequence })
    }

    /// The units of a picture's `data`, each without its length.
    #[cfg(feature = "heic")]
    pub(crate) fn units<'b>(&self, data: &'b [u8]) -> Result<Vec<&'b [u8]>, Fault> {
        let mut reader = Reader::new(data, *b"hvc1");
        let mut units = Vec::new();
        while !reader.rest.is_empty() {
            let length = reader.number(self.length_size)?;
            units.push(reader.bytes(length as usize)?);
        }
        Ok(units)
    }
}

impl Sequence {
    /// Reads a unit, its head of two bytes included.
    fn read(unit: &[u8]) -> Result<Self, Fault> {
        let payload = without_escapes(unit.get(2..).unwrap_or_default());
        Self::parse(Bits::new(&payload))
            .ok_or_else(|| Fault::malformed("its HEVC sequence parameter set is cut off"))?
    }

    fn parse(mut bits: Bits<'_>) -> Option<Result<Self, Fault>> {
        bits.skip(4)?;
        let layers = bits.take(3)?;
        bits.skip(1)?;
        skip_profile(&mut bits, layers)?;
        bits.golomb()?; // its own number
        let chroma = bits.golomb()?;
        if chroma > 3 {
            return Some(Err(Fault::malformed("its HEVC chroma format is unknown")));
        }
        // Cameras write 4:2:0; the decoder was seen to fail on x265's 4:2:2 and 4:4:4.
        if chroma > 1 {
            return Some(Err(Fault::unsupported("HEVC in 4:2:2 or 4:4:4")));
        }
        let coded = (bits.golomb()?, bits.golomb()?);
        let mut hidden = [0; 4];
        if bits.flag()? {
            let unit = 1 + chroma;
            for side in &mut hidden {
                *side = bits.golomb()?.saturating_mul(unit);
            }
        }
        let (luma, of_chroma) = (bits.golomb()?, bits.golomb()?);
        let shown = |whole: u32, a: u32, b: u32| whole > a.saturating_add(b) && whole <= 65_535;
        if !shown(coded.0, hidden[0], hidden[1]) || !shown(coded.1, hidden[2], hidden[3]) {
            return Some(Err(Fault::malformed("its HEVC size makes no sense")));
        }
        // What is coded and not shown is there to fill whole blocks of 64; more would only cost memory.
        if hidden.iter().any(|&side| side >= 64) {
            return Some(Err(Fault::unsupported("HEVC that hides more than a block of its picture")));
        }
        if luma > 8 || (chroma != 0 && of_chroma != luma) {
            return Some(Err(Fault::unsupported("HEVC with luma and chroma of different depths")));
        }
        Some(Ok(Self { monochrome: chroma == 0, depth: luma as u8 + 8, coded, hidden }))
    }

    /// The size that is shown.
    pub(crate) fn shown(&self) -> (u32, u32) {
        let [left, right, top, bottom] = self.hidden;
        (self.coded.0 - left - right, self.coded.1 - top - bottom)
    }
}

/// `profile_tier_level` of `layers` temporal layers above the first.
fn skip_profile(bits: &mut Bits<'_>, layers: u32) -> Option<()> {
    bits.skip(88 + 8)?;
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((bits.flag()?, bits.flag()?));
    }
    if layers > 0 {
        bits.skip(2 * (8 - layers as usize))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

/// `payload` without the bytes that keep start codes out of it (7.4.2).
fn without_escapes(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len());
    let mut zeros = 0;
    for &byte in payload {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}
