//! AVIF and HEIC headers, over the container in `heif`. Which of the two a
//! file is, its primary picture decides: brands only promise.

use super::model::{Kind, Source};
use super::shared::{left_out, tiled_limit};
use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::heif::cicp::Cicp;
use crate::heif::{Configuration, Container, Fault, Kind as Brand, Layer, Still};
use crate::picture::{Depth, Layout};
use crate::{Error, Limits};
use std::borrow::Cow;

pub(crate) use super::headers::HeifHeader;

/// Reads the boxes and the headers of the coded pictures.
pub(super) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, Error> {
    let promised = if Brand::of(bytes) == Some(Brand::Avif) { "AVIF" } else { "HEIC" };
    let still =
        Container::read(bytes).and_then(|container| Still::of(&container)).map_err(|f| f.of(promised))?;
    let (x, y, size) = still.crop;
    let whole = still.colour.size;
    if u64::from(x) + u64::from(size.width) > whole.width.into()
        || u64::from(y) + u64::from(size.height) > whole.height.into()
    {
        return Err(Fault::malformed("its crop lies outside the picture").of(promised));
    }
    // A crop hides pixels from view, not from the decoder.
    let pixels = still.colour.coded_pixels().max(still.alpha.as_ref().map_or(0, Layer::coded_pixels));
    at_most(
        Limit::Side,
        "the longer side",
        u64::from(whole.width.max(whole.height)),
        limits.side.into(),
        "pixels",
    )?;
    let most = if still.colour.tiles.len() == 1 {
        limits.pixels
    } else {
        tiled_limit(limits.pixels, whole, still.colour.tile)
    };
    at_most(Limit::Pixels, "the picture", pixels, most, "pixels")?;
    let cicp = code_points(&still.colour);
    let depths = still.colour.depth().max(still.alpha.as_ref().map_or(8, Layer::depth));
    let alpha_full_range = still.alpha.as_ref().is_none_or(|alpha| code_points(alpha).full_range);
    let header = HeifHeader { still, cicp, alpha_full_range };
    if !header.format().in_build() {
        return Err(left_out(header.format()));
    }
    let still = &header.still;
    Ok(Source {
        bytes,
        stored: size,
        orientation: still.orientation,
        frames: 1,
        depth: if depths > 8 { Depth::Sixteen } else { Depth::Eight },
        layout: match (&still.alpha, still.colour.is_monochrome()) {
            (Some(_), _) => Layout::Rgba,
            (None, true) => Layout::Grey,
            (None, false) => Layout::Rgb,
        },
        colour: colour(still, cicp),
        exif: still.exif,
        xmp: still.xmp.clone(),
        kind: Kind::Heif(Box::new(header)),
    })
}

/// Range and matrix, by the container or else by the bit stream; where
/// neither says, as JPEG has them.
fn code_points(layer: &Layer<'_>) -> Cicp {
    let of_stream = match &layer.configuration {
        Configuration::Av1(sequence) => sequence.cicp,
        Configuration::Hevc(_) => Cicp { primaries: 2, transfer: 2, matrix: 2, full_range: true },
    };
    layer.nclx.unwrap_or(of_stream)
}

/// The space of the picture's RGB: a profile says more than code points.
fn colour<'a>(still: &Still<'a>, cicp: Cicp) -> ColourSpace<'a> {
    if let Some(icc) = still.icc {
        return ColourSpace::Icc(Cow::Borrowed(icc));
    }
    let primaries = if cicp.primaries == 2 { 1 } else { cicp.primaries };
    let transfer = match cicp.transfer {
        // Television's curves differ from sRGB's only in how they mean to be
        // looked at; browsers show pictures that name them as sRGB.
        1 | 2 | 6 | 14 | 15 => 13,
        other => other,
    };
    match (u8::try_from(primaries), u8::try_from(transfer)) {
        (Ok(1), Ok(13)) => ColourSpace::Srgb,
        (Ok(primaries), Ok(transfer)) => ColourSpace::Cicp { primaries, transfer },
        _ => ColourSpace::Srgb,
    }
}
