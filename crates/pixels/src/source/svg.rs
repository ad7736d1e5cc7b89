//! The header of an SVG (SVG 2; gzip'd too): its size, and whether it is of a
//! kind that is drawn. A drawing is a program for a painter, so it is counted
//! before it is interpreted (`guard`, `interpret`). Owns what is refused: pictures outside
//! the file, drawings within pictures, entities and references that grow.
//! Scripts, animation and foreign objects are not run but left out.

mod guard;
mod interpret;
mod refusal;
mod text;

use super::model::{Kind, Source};
use crate::colour::ColourSpace;
use crate::error::{Limit, at_most};
use crate::geometry::{Orientation, Size};
use crate::picture::{Depth, Layout};
use crate::{Error, Limits};

pub(crate) use super::headers::SvgHeader;
pub(crate) use refusal::{malformed, unsupported};

/// The longer side of a drawing in its own pixels: beyond it the arithmetic of
/// 32-bit floats has no room between two of them.
const LONGEST: f64 = 1_000_000.0;

/// `inside` reads the header of a picture inside the drawing.
pub(super) fn read<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    inside: interpret::Inside,
) -> Result<Source<'a>, Error> {
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
    let header = interpret::interpret(&text, limits, inside)?;
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
