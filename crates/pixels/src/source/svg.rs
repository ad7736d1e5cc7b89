//! The header of an SVG (SVG 2; gzip'd too): its size, and whether it is of a
//! kind that is drawn. A drawing is a program for a painter, so it is counted
//! before it is interpreted (`guard`, `interpret`). Owns what is refused: pictures outside
//! the file, drawings within pictures, entities and references that grow.
//! Scripts, animation and foreign objects are not run but left out.

mod guard;
mod interpret;
mod text;

use super::{Kind, Source};
use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::geometry::{Orientation, Size};
use crate::picture::{Depth, Layout};
use crate::{Error, Limits};
use resvg::usvg::Tree;

/// A drawing that has been interpreted.
pub(crate) struct SvgHeader {
    pub(crate) tree: Box<Tree>,
    /// Bytes of the pictures inside, which the tree holds.
    pub(crate) embedded: u64,
}

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "SVG", detail: detail.into() }
}

pub(crate) fn unsupported(feature: impl Into<String>) -> Error {
    Error::Unsupported { format: "SVG", feature: feature.into() }
}

/// The longer side of a drawing in its own pixels: beyond it the arithmetic of
/// 32-bit floats has no room between two of them.
const LONGEST: f64 = 1_000_000.0;

pub(super) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, Error> {
    let text = text::unpacked(bytes, limits)?;
    let (text, (width, height)) = guard::checked(&text)?;
    let side = |v: f64| -> Result<u32, Error> {
        if !(v > 0.0 && v < LONGEST) {
            return Err(malformed(format!("its size is {width} x {height} pixels")));
        }
        Ok((v.round() as u32).max(1))
    };
    let stored = Size::new(side(width)?, side(height)?);
    // What the pictures inside may have, all together, follows from the limit.
    at_most(Limit::Pixels, "the picture", stored.pixels(), limits.pixels, "pixels")?;
    let header = interpret::interpret(&text, limits)?;
    Ok(Source {
        bytes,
        stored,
        orientation: Orientation::UPRIGHT,
        frames: 1,
        depth: Depth::Eight,
        layout: Layout::Rgba,
        colour: ColourSpace::Srgb,
        exif: None,
        xmp: None,
        kind: Kind::Svg(header),
    })
}
