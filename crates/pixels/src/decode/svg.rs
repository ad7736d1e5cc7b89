//! SVG pixels over `resvg`, drawn at the size of each print. Owns what a
//! drawing costs at that size, before it is drawn (`weight`).

pub(crate) mod weight;

use crate::Error;
use crate::geometry::{CropBox, Size};
use crate::picture::{Layout, Picture};
use crate::source::svg::{SvgHeader, unsupported};
use resvg::tiny_skia::{Pixmap, Transform};

/// The size at which the whole picture is drawn so that its part `crop` has the
/// size `scaled`.
pub(crate) fn whole(stored: Size, crop: CropBox, scaled: Size) -> Size {
    let side = |stored: u32, part: f64, scaled: u32| {
        (f64::from(stored) * f64::from(scaled) / part).round().max(f64::from(scaled)) as u32
    };
    Size::new(side(stored.width, crop.width, scaled.width), side(stored.height, crop.height, scaled.height))
}

/// Draws the part `crop` of the picture at `scaled`, which may be any size:
/// nothing is scaled up.
pub(crate) fn part(header: &SvgHeader, stored: Size, crop: CropBox, scaled: Size) -> Result<Picture, Error> {
    let size = whole(stored, crop, scaled);
    let picture = rasterise(header, size)?;
    if size == scaled {
        return Ok(picture);
    }
    let at = |start: f64, stored: u32, size: u32, scaled: u32| {
        ((start * f64::from(size) / f64::from(stored)).round() as u32).min(size - scaled)
    };
    let x = at(crop.left, stored.width, size.width, scaled.width);
    let y = at(crop.top, stored.height, size.height, scaled.height);
    Ok(picture.cut(x, y, scaled))
}

/// Draws the whole picture at `size`, which may be any: nothing is scaled up.
pub(crate) fn rasterise(header: &SvgHeader, size: Size) -> Result<Picture, Error> {
    weight::of(&header.tree, size).affordable()?;
    let mut pixmap =
        Pixmap::new(size.width, size.height).ok_or_else(|| unsupported("a print of this size"))?;
    let natural = header.tree.size();
    let scale =
        Transform::from_scale(size.width as f32 / natural.width(), size.height as f32 / natural.height());
    resvg::render(&header.tree, scale, &mut pixmap.as_mut());
    // In place: another canvas would double what a drawing takes.
    let mut pixels = pixmap.take();
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let alpha = u32::from(pixel[3]);
        if alpha != 0 && alpha != 255 {
            for v in &mut pixel[..3] {
                *v = ((u32::from(*v) * 255 + alpha / 2) / alpha).min(255) as u8;
            }
        }
    }
    Ok(Picture::new(size, Layout::Rgba, pixels))
}

/// Bytes that [`rasterise`] takes at its peak, the source bytes not counted:
/// the canvas and the layers that are open at once, or the copy without idle
/// alpha; and the pictures inside as they are packed.
pub(crate) fn memory(header: &SvgHeader, size: Size) -> u64 {
    let copy = 3 * size.pixels();
    size.pixels() * 4 + weight::of(&header.tree, size).memory.max(copy) + header.embedded + (4 << 20)
}
