//! An overlay laid over a picture: a logo, a signature, a repeated pattern.

use crate::geometry::{CropBox, Place, Size};
use crate::picture::{Layout, Picture, Sample};
use crate::scale::scaled;

/// Where the overlay goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Once, `margin` pixels from the sides that it is put to.
    At {
        /// The side, left or right.
        x: Place,
        /// The side, top or bottom.
        y: Place,
        /// Pixels from both.
        margin: u32,
    },
    /// Again and again from the top left corner on, `gap` pixels apart.
    Tiled {
        /// Pixels between two.
        gap: u32,
    },
}

/// The overlay's size on a print: `scale` of the print's width (from 0 to 1;
/// `None`: the overlay's own), its aspect ratio kept, and never larger than the
/// print less its margins, where these leave anything.
pub fn overlay_size(print: Size, overlay: Size, scale: Option<f64>, spot: Spot) -> Size {
    let margins = match spot {
        Spot::At { margin, .. } => margin.saturating_mul(2),
        Spot::Tiled { .. } => 0,
    };
    let room = |side: u32| f64::from(if side > margins { side - margins } else { side });
    let (width, height) = (f64::from(overlay.width), f64::from(overlay.height));
    let wanted = scale.map_or(1.0, |scale| f64::from(print.width) * scale / width);
    let factor = wanted.min(room(print.width) / width).min(room(print.height) / height);
    let side = |length: f64| (length * factor).round().max(1.0) as u32;
    Size::new(side(width), side(height))
}

/// The overlay at the size that [`overlay_size`] gave.
pub fn fitted(overlay: &Picture, size: Size) -> Picture {
    scaled(overlay, CropBox::of(overlay.size), size)
}

/// `picture` with `overlay` over it, at most as large as it is, its alpha
/// multiplied by `opacity` (0 to 1). Source-over (W3C Compositing and Blending 1,
/// §9.1.4) of encoded samples, as sharp and browsers do it.
///
/// An opaque picture stays opaque; a grey one becomes RGB where the overlay has
/// colour.
pub fn watermarked<S: Sample>(
    picture: Picture<S>,
    overlay: &Picture,
    spot: Spot,
    opacity: f64,
) -> Picture<S> {
    let overlay = overlay.clone().into_rgba();
    let coloured =
        || overlay.pixels.as_chunks::<4>().0.iter().any(|&[r, g, b, a]| a > 0 && !(r == g && g == b));
    let mut picture = if picture.layout == Layout::Grey && coloured() { picture.into_rgb() } else { picture };
    let (print, size) = (picture.size, overlay.size);
    let steps = |length: u32, size: u32, place: Place| -> Vec<u32> {
        match spot {
            Spot::At { margin, .. } => vec![edge(length.saturating_sub(size), margin, place)],
            Spot::Tiled { gap } => (0..length).step_by(size.saturating_add(gap).max(1) as usize).collect(),
        }
    };
    let (x, y) = match spot {
        Spot::At { x, y, .. } => (x, y),
        Spot::Tiled { .. } => (Place::Start, Place::Start),
    };
    let lefts = steps(print.width, size.width, x);
    let tops = steps(print.height, size.height, y);
    // Weights of 16 bits: at 8 bits an opacity of 0.5 would lose half a step.
    let opacity = (opacity.clamp(0.0, 1.0) * 65_535.0).round() as u32;
    let channels = picture.layout.channels();
    let stride = print.width as usize * channels;
    for top in tops {
        let rows = picture.pixels.chunks_exact_mut(stride).skip(top as usize);
        for (row, over) in rows.zip(overlay.pixels.chunks_exact(size.width as usize * 4)) {
            for &left in &lefts {
                let below = row[left as usize * channels..].chunks_exact_mut(channels);
                for (below, &over) in below.zip(over.as_chunks::<4>().0) {
                    // 0 to 255 · 65,535.
                    let cover = u64::from(over[3]) * u64::from(opacity);
                    if cover > 0 {
                        lay_over(below, over.map(S::widened), cover);
                    }
                }
            }
        }
    }
    picture
}

/// Full cover.
const FULL: u64 = 255 * 65_535;

fn lay_over<S: Sample>(below: &mut [S], over: [S; 4], cover: u64) {
    let mix = |top: S, under: S, top_part: u64, under_part: u64| {
        let whole = top_part + under_part;
        let sum = u64::from(top.into()) * top_part + u64::from(under.into()) * under_part;
        S::from_u32(((sum + whole / 2) / whole) as u32)
    };
    if let [r, g, b, a] = below {
        let most = u64::from(S::MAX);
        let alpha: u64 = u64::from((*a).into());
        // Both parts in the unit of FULL · MAX.
        let (top, under) = (cover * most, alpha * (FULL - cover));
        *r = mix(over[0], *r, top, under);
        *g = mix(over[1], *g, top, under);
        *b = mix(over[2], *b, top, under);
        *a = S::from_u32(((top + under + FULL / 2) / FULL) as u32);
        return;
    }
    for (under, top) in below.iter_mut().zip(over) {
        *under = mix(top, *under, cover, FULL - cover);
    }
}

/// Offset of the overlay along a side with `slack` pixels to spare. A margin
/// that does not fit gives way.
fn edge(slack: u32, margin: u32, place: Place) -> u32 {
    match place {
        Place::Start => margin.min(slack),
        Place::Center => slack / 2,
        Place::End => slack.saturating_sub(margin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn end(margin: u32) -> Spot {
        Spot::At { x: Place::End, y: Place::End, margin }
    }

    fn dot(pixel: [u8; 4]) -> Picture {
        Picture::new(Size::new(1, 1), Layout::Rgba, pixel.to_vec())
    }

    #[test]
    fn an_overlay_keeps_its_aspect_and_never_outgrows_the_print() {
        let at = end(10);
        for (print, overlay, scale, wanted) in [
            ((1000, 500), (200, 100), Some(0.25), (250, 125)),
            ((1000, 500), (200, 100), None, (200, 100)),
            ((1000, 100), (100, 100), Some(0.5), (80, 80)),
            ((100, 100), (400, 200), None, (80, 40)),
            ((100, 100), (400, 200), Some(1.0), (80, 40)),
            ((16, 16), (400, 200), None, (16, 8)),
            ((1000, 1000), (10_000, 1), Some(0.5), (500, 1)),
        ] {
            let size = |(width, height)| Size::new(width, height);
            assert_eq!(
                overlay_size(size(print), size(overlay), scale, at),
                size(wanted),
                "{print:?} {overlay:?}"
            );
        }
        assert_eq!(
            overlay_size(Size::new(100, 80), Size::new(50, 50), Some(1.0), Spot::Tiled { gap: 5 }),
            Size::new(80, 80)
        );
    }

    #[test]
    fn opacity_mixes_and_an_opaque_picture_stays_opaque() {
        let black = Picture::new(Size::new(2, 2), Layout::Grey, vec![0_u8; 4]);
        let at = end(0);
        let grey = watermarked(black.clone(), &dot([255; 4]), at, 0.5);
        assert_eq!((grey.layout, grey.pixels), (Layout::Grey, vec![0, 0, 0, 128]));
        let red = watermarked(black.clone(), &dot([255, 0, 0, 128]), at, 1.0);
        assert_eq!((red.layout, &red.pixels[9..]), (Layout::Rgb, &[128, 0, 0][..]));
        let deep = Picture::new(Size::new(1, 1), Layout::Grey, vec![0_u16]);
        assert_eq!(watermarked(deep, &dot([255; 4]), at, 0.25).pixels, [16_384]);
        assert_eq!(watermarked(black.clone(), &dot([255; 4]), at, 0.0), black);
    }

    #[test]
    fn over_transparency_only_the_overlays_colour_counts() {
        let clear = Picture::new(Size::new(1, 1), Layout::Rgba, vec![255_u8, 0, 0, 0]);
        let at = end(0);
        let mixed = watermarked(clear, &dot([0, 0, 200, 255]), at, 0.5);
        assert_eq!(mixed.pixels, [0, 0, 200, 128]);
        // Half over half: 1 - 0.5 · 0.5 of cover, two thirds of it the overlay's.
        let half = Picture::new(Size::new(1, 1), Layout::Rgba, vec![0_u16, 0, 0, 32_768]);
        let mixed = watermarked(half, &dot([255, 255, 255, 255]), at, 0.5);
        assert_eq!(mixed.pixels, [43_690, 43_690, 43_690, 49_152]);
    }

    #[test]
    fn places_keep_their_margin_and_tiles_cover_the_print() {
        let print = Picture::new(Size::new(5, 5), Layout::Grey, vec![0_u8; 25]);
        let lit = |spot| -> Vec<usize> {
            let marked = watermarked(print.clone(), &dot([255; 4]), spot, 1.0);
            (0..25).filter(|&i| marked.pixels[i] == 255).collect()
        };
        let at = |x, y, margin| lit(Spot::At { x, y, margin });
        assert_eq!(at(Place::Start, Place::Start, 1), [6]);
        assert_eq!(at(Place::End, Place::Start, 1), [8]);
        assert_eq!(at(Place::Center, Place::Center, 1), [12]);
        assert_eq!(at(Place::End, Place::End, 0), [24]);
        assert_eq!(at(Place::Start, Place::End, 99), [4]);
        assert_eq!(lit(Spot::Tiled { gap: 2 }), [0, 3, 15, 18]);
        // Tiles are cut at the edge.
        let pair = Picture::new(Size::new(2, 1), Layout::Grey, vec![255, 255]);
        let marked = watermarked(print.clone(), &pair, Spot::Tiled { gap: 0 }, 1.0);
        assert!(marked.pixels.iter().all(|&v| v == 255));
    }
}
