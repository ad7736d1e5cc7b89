//! HEVC pictures over `heic-rs`, which is Rust without `unsafe`: one coded
//! picture or the tiles of a grid, into planes.

use crate::Error;
use crate::geometry::Size;
use crate::heif::planar::{Planar, Stored, Tile};
use crate::heif::{Fault, Layer, hevc};
use heic_rs::Error as Refusal;
use heic_rs::hevc::{ChromaFormat, Frame, decode_still};

/// Slices may overlap, and each may cost a whole picture's time for a few
/// bytes: this many a picture, or as many as cost no more than this many pixels.
const MOST_SLICES: u64 = 8;
const SLICED_PIXELS: u64 = 1 << 26;

/// Decodes the tiles of `layer` to samples of type `S`, which holds them.
pub(super) fn decode<S: Stored>(
    layer: &Layer<'_>,
    configuration: &hevc::Configuration<'_>,
) -> Result<Planar<S>, Error> {
    let fault = |fault: Fault| fault.of("HEIC");
    let sequence = &configuration.sequence;
    let chroma = (!sequence.monochrome).then_some((true, true));
    let mut planar = Planar::new(layer.size, sequence.depth, chroma);
    let mut sliced = 0;
    for (index, data) in (0_u32..).zip(&layer.tiles) {
        let units = configuration.units(data).map_err(fault)?;
        sliced += (units.len() as u64).saturating_sub(MOST_SLICES) * layer.tile.pixels();
        if sliced > SLICED_PIXELS {
            return Err(fault(Fault::unsupported("a picture in very many slices")));
        }
        let tile = tile(&units, layer.tile, configuration).map_err(fault)?;
        let at = (index % layer.columns * layer.tile.width, index / layer.columns * layer.tile.height);
        planar.lay(&tile, layer.tile, at).map_err(fault)?;
    }
    Ok(planar)
}

/// Bytes that decoding one tile takes beside the planes it is laid on.
///
/// Samples of two bytes three times (as decoded, a copy while they are
/// filtered, and cut to what is shown), half a byte a pixel of modes and
/// parameters of blocks, and the data without its escapes. Measured, with a
/// margin; see the tests.
pub(super) fn tile_memory(layer: &Layer<'_>, configuration: &hevc::Configuration<'_>) -> u64 {
    let (width, height) = configuration.sequence.coded;
    let pixels = u64::from(width) * u64::from(height);
    let samples = if configuration.sequence.monochrome { 2 } else { 3 };
    let longest = layer.tiles.iter().map(|tile| tile.len() as u64).max().unwrap_or(0);
    pixels * samples * 3 + pixels + 2 * longest + (4 << 20)
}

fn tile(units: &[&[u8]], size: Size, configuration: &hevc::Configuration<'_>) -> Result<Frame, Fault> {
    let frame = decode_still(&configuration.parameters, units)
        .and_then(|frame| frame.validate().map(|()| frame))
        .map_err(|refusal| match refusal {
            Refusal::Unsupported(what) => Fault::unsupported(format!("HEVC with {what}")),
            other => Fault::malformed(format!("its HEVC data cannot be decoded: {other}")),
        })?;
    let sequence = &configuration.sequence;
    let chroma = if sequence.monochrome { ChromaFormat::Monochrome } else { ChromaFormat::Yuv420 };
    let found = (frame.width, frame.height, frame.bit_depth, frame.chroma);
    if found != (size.width, size.height, sequence.depth, chroma) {
        return Err(Fault::malformed("its HEVC picture is not what its headers promise"));
    }
    Ok(frame)
}

impl Tile for Frame {
    fn copy_row<S: Stored>(&self, index: usize, y: usize, to: &mut [S]) {
        let (plane, stride) = match index {
            0 => (&self.y, self.y_stride),
            1 => (&self.cb, self.c_stride),
            _ => (&self.cr, self.c_stride),
        };
        let start = y * stride as usize;
        let row = &plane[start..start + to.len()];
        for (to, &sample) in to.iter_mut().zip(row) {
            *to = S::of(sample);
        }
    }
}
