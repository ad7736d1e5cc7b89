//! AVIF and HEIC pixels: each codec's planes (`avif`, `heic`), brought together
//! with their alpha, to RGB.

use super::Decoded;
#[cfg(feature = "avif")]
use super::avif;
#[cfg(feature = "heic")]
use super::heic;
use crate::Error;
use crate::heif::planar::{Planar, Stored, to_picture};
use crate::heif::{Configuration, Layer};
use crate::picture::{AnyPicture, Depth, Layout, Picture, Sample};
use crate::source::Source;
use crate::source::heif::HeifHeader;
use std::borrow::Cow;

/// Decodes the primary picture, cut to what is shown of it.
pub(crate) fn decode<'a>(
    source: &Source<'a>,
    header: &HeifHeader<'_>,
    depth: Depth,
) -> Result<Decoded<'a>, Error> {
    let picture = match (source.depth, depth) {
        (Depth::Eight, _) => AnyPicture::Eight(assembled::<u8, u8>(header)?),
        (Depth::Sixteen, Depth::Eight) => AnyPicture::Eight(assembled::<u16, u8>(header)?),
        (Depth::Sixteen, Depth::Sixteen) => AnyPicture::Sixteen(assembled::<u16, u16>(header)?),
    };
    Ok(Decoded { picture, colour: source.colour.clone() })
}

/// Samples in planes as `S`, in pixels as `T`.
fn assembled<S: Stored, T: Sample>(header: &HeifHeader<'_>) -> Result<Picture<T>, Error> {
    let still = &header.still;
    let colour = planes::<S>(&still.colour)?;
    let alpha = still.alpha.as_ref().map(planes::<S>).transpose()?;
    let cover = alpha.as_ref().map(|planes| (planes, header.alpha_full_range));
    let picture = to_picture(&colour, header.cicp, cover, still.premultiplied)
        .map_err(|fault| fault.of(header.format().title()))?;
    // Copies are made below.
    drop((colour, alpha));
    let (x, y, size) = still.crop;
    let picture = if size == picture.size { picture } else { picture.cut(x, y, size) };
    Ok(picture.without_idle_alpha())
}

fn planes<S: Stored>(layer: &Layer<'_>) -> Result<Planar<S>, Error> {
    match &layer.configuration {
        #[cfg(feature = "avif")]
        Configuration::Av1(sequence) => avif::decode(layer, sequence),
        #[cfg(feature = "heic")]
        Configuration::Hevc(configuration) => heic::decode(layer, configuration),
        // `source::heif` lets none pass.
        #[cfg(not(all(feature = "avif", feature = "heic")))]
        _ => Err(Error::Codec { format: "HEIF", detail: "this build leaves it out".into() }),
    }
}

/// Bytes that [`decode`] takes at its peak, the source bytes not counted.
///
/// The planes of colour and alpha; and beside them the larger of a tile's
/// decoder and the picture in pixels. A picture that is cut, or loses an idle
/// alpha, is there twice when the planes are not.
pub(crate) fn memory(source: &Source<'_>, header: &HeifHeader<'_>, depth: Depth) -> u64 {
    let still = &header.still;
    let layers = || std::iter::once(&still.colour).chain(&still.alpha);
    let tile = layers().map(tile_memory).max().unwrap_or(0);
    let sample = source.depth.bytes();
    let planes: u64 = layers().map(|layer| layer.size.pixels() * samples(layer) * sample / 2).sum();
    // What several extents hold is put together.
    let joined: u64 = layers().flat_map(|layer| &layer.tiles).map(owned).sum();
    let whole = still.colour.size.pixels();
    let picture = source.layout.channels() as u64 * source.depth.min(depth).bytes();
    let rows = u64::from(still.colour.size.width) * 4 * 4;
    let copied = if source.layout == Layout::Rgba || still.crop.2 != still.colour.size {
        2 * whole * picture
    } else {
        0
    };
    joined + (planes + tile.max(whole * picture)).max(copied) + rows
}

/// Samples for each two pixels.
fn samples(layer: &Layer<'_>) -> u64 {
    let halved = match &layer.configuration {
        Configuration::Av1(sequence) => (!sequence.monochrome).then_some(sequence.subsampled),
        Configuration::Hevc(configuration) => (!configuration.sequence.monochrome).then_some((true, true)),
    };
    match halved {
        None => 2,
        // Odd sides are rounded up.
        Some((true, true)) => 4,
        Some((true, false)) => 5,
        Some(_) => 6,
    }
}

#[expect(clippy::ptr_arg, reason = "whether the bytes are a copy is the question")]
fn owned(tile: &Cow<'_, [u8]>) -> u64 {
    match tile {
        Cow::Borrowed(_) => 0,
        Cow::Owned(bytes) => 2 * bytes.len() as u64,
    }
}

fn tile_memory(layer: &Layer<'_>) -> u64 {
    match &layer.configuration {
        #[cfg(feature = "avif")]
        Configuration::Av1(sequence) => avif::tile_memory(layer, sequence),
        #[cfg(feature = "heic")]
        Configuration::Hevc(configuration) => heic::tile_memory(layer, configuration),
        #[cfg(not(all(feature = "avif", feature = "heic")))]
        _ => 0,
    }
}
