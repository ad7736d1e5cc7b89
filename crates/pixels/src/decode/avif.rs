//! AV1 pictures over `rav1d`, a port of dav1d to Rust: one coded picture or the
//! tiles of a grid, into planes.

use crate::Error;
use crate::geometry::Size;
use crate::heif::planar::{Planar, Stored, Tile};
use crate::heif::{Fault, Layer, av1};
use re_rav1d::dav1d::{Decoder, Error as Refusal, Picture, PixelLayout, PlanarImageComponent as Component};
use re_rav1d::dav1d::{Plane, Settings};

/// Most frames of one coded picture: its layers, and some that are not shown.
/// Each may cost a whole picture's time for a few bytes.
const MOST_FRAMES: usize = 8;

/// Decodes the tiles of `layer` to samples of type `S`, which holds them.
pub(super) fn decode<S: Stored>(layer: &Layer<'_>, sequence: &av1::Sequence) -> Result<Planar<S>, Error> {
    let fault = |fault: Fault| fault.of("AVIF");
    let chroma = (!sequence.monochrome).then_some(sequence.subsampled);
    let mut planar = Planar::new(layer.size, sequence.depth, chroma);
    for (index, data) in (0_u32..).zip(&layer.tiles) {
        let tile = Frame::of(data, layer.tile, sequence).map_err(fault)?;
        let at = (index % layer.columns * layer.tile.width, index / layer.columns * layer.tile.height);
        planar.lay(&tile, layer.tile, at).map_err(fault)?;
    }
    Ok(planar)
}

/// Bytes that decoding one tile takes beside the planes it is laid on.
///
/// The frame, its rows and columns padded, with a deblocked copy of some rows;
/// per block of 4 × 4 the decoder keeps motion, filter levels and masks; and
/// its tables. Measured, with a margin; see the tests.
pub(super) fn tile_memory(layer: &Layer<'_>, sequence: &av1::Sequence) -> u64 {
    let Size { width, height } = layer.tile;
    let padded = u64::from(width.next_multiple_of(128) + 128) * u64::from(height.next_multiple_of(128) + 128);
    let samples = match (sequence.monochrome, sequence.subsampled) {
        (true, _) => 2,
        (false, (true, true)) => 3,
        (false, (true, false)) => 4,
        (false, _) => 6,
    };
    let bytes = if sequence.depth > 8 { 2 } else { 1 };
    let longest = layer.tiles.iter().map(|tile| tile.len() as u64).max().unwrap_or(0);
    padded * samples * bytes / 2 + padded * 2 + 2 * longest + (8 << 20)
}

/// One decoded picture.
struct Frame {
    /// Bytes of each plane, and from one row to the next.
    planes: Vec<(Plane, usize)>,
    /// Samples have two bytes, in the machine's order.
    wide: bool,
}

impl Frame {
    fn of(data: &[u8], size: Size, sequence: &av1::Sequence) -> Result<Self, Fault> {
        let broken = |detail: String| Fault::malformed(detail);
        if av1::frames(data).ok_or_else(|| broken("its AV1 data is cut off".into()))? > MOST_FRAMES {
            return Err(Fault::unsupported(format!("a coded picture of more than {MOST_FRAMES} frames")));
        }
        let pixels =
            u32::try_from(size.pixels()).map_err(|_| Fault::unsupported("more than 4 gigapixels"))?;
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_all_layers(false);
        settings.set_frame_size_limit(pixels);
        let refused = |refusal: Refusal| broken(format!("its AV1 data cannot be decoded: {refusal}"));
        let mut decoder = Decoder::with_settings(&settings).map_err(refused)?;
        match decoder.send_data(data.to_vec(), None, None, None) {
            Ok(()) | Err(Refusal::Again) => {}
            Err(refusal) => return Err(refused(refusal)),
        }
        let picture = match decoder.get_picture() {
            // Of layers, the last is let out only when nothing follows.
            Err(Refusal::Again) => decoder.get_picture(),
            other => other,
        };
        match picture {
            Ok(picture) => Self::planes(&picture, size, sequence),
            Err(Refusal::Again) => Err(broken("its AV1 data holds no whole frame".into())),
            Err(refusal) => Err(refused(refusal)),
        }
    }

    /// Refuses a picture that is not what the sequence header promised.
    fn planes(picture: &Picture, size: Size, sequence: &av1::Sequence) -> Result<Self, Fault> {
        let layout = match (sequence.monochrome, sequence.subsampled) {
            (true, _) => PixelLayout::I400,
            (false, (true, true)) => PixelLayout::I420,
            (false, (true, false)) => PixelLayout::I422,
            (false, _) => PixelLayout::I444,
        };
        let found = (picture.width(), picture.height(), picture.bit_depth(), picture.pixel_layout());
        if found != (size.width, size.height, usize::from(sequence.depth), layout) {
            return Err(Fault::malformed("its AV1 frame is not what its headers promise"));
        }
        let components = [Component::Y, Component::U, Component::V];
        let count = if sequence.monochrome { 1 } else { 3 };
        let plane = |component| (picture.plane(component), picture.stride(component) as usize);
        let planes = components.into_iter().take(count).map(plane).collect();
        Ok(Self { planes, wide: sequence.depth > 8 })
    }
}

impl Tile for Frame {
    fn copy_row<S: Stored>(&self, index: usize, y: usize, to: &mut [S]) {
        let (plane, stride) = &self.planes[index];
        let (start, length) = (y * stride, to.len());
        if self.wide {
            let (samples, _) = plane[start..start + 2 * length].as_chunks::<2>();
            for (to, sample) in to.iter_mut().zip(samples) {
                *to = S::of(u16::from_ne_bytes(*sample));
            }
        } else {
            for (to, &sample) in to.iter_mut().zip(&plane[start..start + length]) {
                *to = S::of(sample.into());
            }
        }
    }
}
