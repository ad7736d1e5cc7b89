//! Where a picture lands on a print: sizes, crops and offsets, as a pure
//! function of numbers. Owns the five fits; refuses pixels.
//!
//! The fits and their rounding are sharp's (<https://sharp.pixelplumbing.com/api-resize>):
//! the scaled size is rounded to the nearest pixel and at least 1; the crop of
//! `cover` lies on a whole pixel of the scaled picture, the middle rounded
//! towards the bottom right; the offset of `contain` is rounded towards the top
//! left. One difference, which the recipe documents: a missing side follows
//! from the aspect ratio in every fit, `fill` included.

use crate::recipe::{Extend, Fit, Output, Position, Region, Resize};
use minilab_pixels::geometry::{CropBox, Orientation, Place, Rectangle, Size};

/// The part of `view` that a recipe names, cut off at its edges, at least one
/// pixel.
pub(crate) fn region_of(view: Rectangle, region: &Region) -> Rectangle {
    let Size { width, height } = view.size;
    let x = region.left.of(width).min(width - 1);
    let y = region.top.of(height).min(height - 1);
    let wide = region.width.map_or(width, |length| length.of(width)).clamp(1, width - x);
    let high = region.height.map_or(height, |length| length.of(height)).clamp(1, height - y);
    Rectangle { x: view.x + x, y: view.y + y, size: Size::new(wide, high) }
}

/// Which part of the picture is scaled to what size, and where that lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement {
    /// The part of the picture that is used, before it is turned.
    pub(crate) crop: CropBox,
    /// How that part is turned, once scaled.
    pub(crate) turn: Orientation,
    /// The size of that part on the print, turned.
    pub(crate) scaled: Size,
    /// The size of the print.
    pub(crate) canvas: Size,
    /// Left and top edge of the picture on the print.
    pub(crate) offset: (u32, u32),
}

impl Placement {
    /// Whether the print has bars around the picture.
    pub(crate) fn has_bars(&self) -> bool {
        self.scaled != self.canvas
    }

    /// Pads the print. Saturates as [`place`] does.
    fn extend(&mut self, extend: &Extend) {
        let Size { width, height } = self.canvas;
        let (left, top) = (extend.left.of(width), extend.top.of(height));
        let wider = left.saturating_add(extend.right.of(width));
        let higher = top.saturating_add(extend.bottom.of(height));
        self.canvas = Size::new(width.saturating_add(wider), height.saturating_add(higher));
        self.offset = (self.offset.0.saturating_add(left), self.offset.1.saturating_add(top));
    }

    /// The size to which the crop is scaled, before it is turned.
    pub(crate) fn unturned(&self) -> Size {
        self.scaled.turned(self.turn)
    }
}

/// Where a crop of some width and height within a part of the picture draws the
/// eye: its left and top edge.
pub(crate) type Focus<'a> = dyn Fn(Rectangle, (f64, f64)) -> (f64, f64) + 'a;

/// Quarter turns clockwise, then mirrors.
pub(crate) fn turn(output: &Output) -> Orientation {
    let (transpose, flip_x, flip_y) = match output.rotate % 4 {
        0 => (false, false, false),
        1 => (true, true, false),
        2 => (false, true, true),
        _ => (true, false, true),
    };
    Orientation { transpose, flip_x: flip_x != output.flip.x, flip_y: flip_y != output.flip.y }
}

/// Places the part `view` of a picture on the print of `output`.
///
/// `focus` says where the crop of `position = "attention"` lies within `view`,
/// given its width and height: the left and top edge, all in pixels. Without
/// it, it lies in the middle.
pub(crate) fn lay_out(view: Rectangle, output: &Output, focus: Option<&Focus<'_>>) -> Placement {
    let view = output.crop.as_ref().map_or(view, |region| region_of(view, region));
    let turn = turn(output);
    let mut placement = place(view.size.turned(turn), output.resize.as_ref());
    placement.turn = turn;
    if let Some(extend) = &output.extend {
        placement.extend(extend);
    }
    let mut crop = placement.crop.before(turn, view.size);
    let attentive = output.resize.is_some_and(|resize| resize.position == Position::Attention);
    if let (true, Some(focus)) = (attentive, focus) {
        let (left, top) = focus(view, (crop.width, crop.height));
        crop.left = left.clamp(0.0, f64::from(view.size.width) - crop.width);
        crop.top = top.clamp(0.0, f64::from(view.size.height) - crop.height);
    }
    crop.left += f64::from(view.x);
    crop.top += f64::from(view.y);
    placement.crop = crop;
    placement
}

/// Places a picture of `picture` pixels (neither side 0, orientation applied)
/// on a print. Saturates at `u32::MAX` where a print would be larger: the
/// caller compares with its limit.
pub(crate) fn place(picture: Size, resize: Option<&Resize>) -> Placement {
    let Some(resize) = resize else {
        return uncropped(picture, picture);
    };
    let (w, h) = (f64::from(picture.width), f64::from(picture.height));
    let (wanted_w, wanted_h) = match (resize.width, resize.height) {
        (Some(width), Some(height)) => (width.get(), height.get()),
        (width, height) => {
            let scale = match (width, height) {
                (Some(width), _) => f64::from(width.get()) / w,
                (None, Some(height)) => f64::from(height.get()) / h,
                // The recipe's parser refuses this; the picture as it is costs nothing.
                (None, None) => 1.0,
            };
            let scale = if resize.enlarge { scale } else { scale.min(1.0) };
            return uncropped(picture, Size::new(pixels(w * scale), pixels(h * scale)));
        }
    };
    let (sx, sy) = (f64::from(wanted_w) / w, f64::from(wanted_h) / h);
    let cap = |scale: f64| if resize.enlarge { scale } else { scale.min(1.0) };
    let scaled_by = |scale: f64| Size::new(pixels(w * scale), pixels(h * scale));
    match resize.fit {
        Fit::Fill => uncropped(picture, Size::new(pixels(w * cap(sx)), pixels(h * cap(sy)))),
        Fit::Inside => uncropped(picture, scaled_by(cap(sx.min(sy)))),
        Fit::Outside => uncropped(picture, scaled_by(cap(sx.max(sy)))),
        Fit::Contain => {
            let scaled = scaled_by(cap(sx.min(sy)));
            let canvas = Size::new(wanted_w, wanted_h);
            let scaled = Size::new(scaled.width.min(canvas.width), scaled.height.min(canvas.height));
            let (x, y) = places(resize.position);
            Placement {
                crop: CropBox::of(picture),
                turn: Orientation::UPRIGHT,
                scaled,
                canvas,
                offset: (
                    offset(canvas.width - scaled.width, x, Rounding::Down),
                    offset(canvas.height - scaled.height, y, Rounding::Down),
                ),
            }
        }
        Fit::Cover => {
            let whole = scaled_by(cap(sx.max(sy)));
            let canvas = Size::new(wanted_w.min(whole.width), wanted_h.min(whole.height));
            let (x, y) = places(resize.position);
            let left = offset(whole.width - canvas.width, x, Rounding::Up);
            let top = offset(whole.height - canvas.height, y, Rounding::Up);
            let (back_x, back_y) = (w / f64::from(whole.width), h / f64::from(whole.height));
            let crop = CropBox {
                left: f64::from(left) * back_x,
                top: f64::from(top) * back_y,
                width: f64::from(canvas.width) * back_x,
                height: f64::from(canvas.height) * back_y,
            };
            Placement {
                crop: crop.held(1, picture),
                turn: Orientation::UPRIGHT,
                scaled: canvas,
                canvas,
                offset: (0, 0),
            }
        }
    }
}

/// The middle until the pixels have been looked at.
pub(crate) fn places(position: Position) -> (Place, Place) {
    match position {
        Position::At { x, y } => (x, y),
        Position::Attention => (Place::Center, Place::Center),
    }
}

fn uncropped(picture: Size, scaled: Size) -> Placement {
    Placement {
        crop: CropBox::of(picture),
        turn: Orientation::UPRIGHT,
        scaled,
        canvas: scaled,
        offset: (0, 0),
    }
}

fn pixels(side: f64) -> u32 {
    side.round().max(1.0) as u32
}

#[derive(Clone, Copy)]
enum Rounding {
    Down,
    Up,
}

fn offset(slack: u32, place: Place, rounding: Rounding) -> u32 {
    match (place, rounding) {
        (Place::Start, _) => 0,
        (Place::Center, Rounding::Down) => slack / 2,
        (Place::Center, Rounding::Up) => slack.div_ceil(2),
        (Place::End, _) => slack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Length;
    use proptest::prelude::*;
    use std::num::NonZeroU32;

    const MIDDLE: Position = Position::CENTER;

    fn resize(width: u32, height: u32, fit: Fit, enlarge: bool) -> Resize {
        Resize {
            width: NonZeroU32::new(width),
            height: NonZeroU32::new(height),
            fit,
            position: MIDDLE,
            enlarge,
            linear: false,
        }
    }

    /// Picture, box (0: absent), fit, enlarge → scaled, canvas, offset.
    type Case = ((u32, u32), (u32, u32), Fit, bool, (u32, u32), (u32, u32), (u32, u32));

    #[test]
    fn every_fit_gives_sharps_sizes() {
        let cases: &[Case] = &[
            ((4000, 3000), (2048, 0), Fit::Inside, false, (2048, 1536), (2048, 1536), (0, 0)),
            ((4000, 3000), (0, 300), Fit::Cover, false, (400, 300), (400, 300), (0, 0)),
            ((4000, 3000), (800, 800), Fit::Inside, false, (800, 600), (800, 600), (0, 0)),
            ((4000, 3000), (800, 800), Fit::Outside, false, (1067, 800), (1067, 800), (0, 0)),
            ((4000, 3000), (800, 800), Fit::Fill, false, (800, 800), (800, 800), (0, 0)),
            ((4000, 3000), (800, 800), Fit::Contain, false, (800, 600), (800, 800), (0, 100)),
            ((4000, 3000), (800, 800), Fit::Cover, false, (800, 800), (800, 800), (0, 0)),
            // Not enlarged.
            ((100, 50), (800, 0), Fit::Inside, false, (100, 50), (100, 50), (0, 0)),
            ((100, 50), (800, 800), Fit::Inside, false, (100, 50), (100, 50), (0, 0)),
            ((100, 50), (800, 25), Fit::Fill, false, (100, 25), (100, 25), (0, 0)),
            ((100, 50), (800, 20), Fit::Cover, false, (100, 20), (100, 20), (0, 0)),
            ((100, 50), (801, 801), Fit::Contain, false, (100, 50), (801, 801), (350, 375)),
            ((100, 50), (800, 800), Fit::Outside, false, (100, 50), (100, 50), (0, 0)),
            // Enlarged.
            ((100, 50), (800, 0), Fit::Inside, true, (800, 400), (800, 400), (0, 0)),
            ((100, 50), (800, 800), Fit::Inside, true, (800, 400), (800, 400), (0, 0)),
            ((100, 50), (800, 800), Fit::Cover, true, (800, 800), (800, 800), (0, 0)),
            ((100, 50), (800, 800), Fit::Fill, true, (800, 800), (800, 800), (0, 0)),
            // Never 0.
            ((30_000, 1), (100, 0), Fit::Inside, false, (100, 1), (100, 1), (0, 0)),
            ((30_000, 1), (100, 100), Fit::Inside, false, (100, 1), (100, 1), (0, 0)),
        ];
        for &((w, h), (bw, bh), fit, enlarge, scaled, canvas, offset) in cases {
            let placed = place(Size::new(w, h), Some(&resize(bw, bh, fit, enlarge)));
            let name = format!("{w}x{h} to {bw}x{bh} {fit:?} enlarge {enlarge}");
            assert_eq!((placed.scaled.width, placed.scaled.height), scaled, "{name}: scaled");
            assert_eq!((placed.canvas.width, placed.canvas.height), canvas, "{name}: canvas");
            assert_eq!(placed.offset, offset, "{name}: offset");
        }
    }

    #[test]
    fn padding_is_part_of_the_print() {
        let side = |text: &str| match text.strip_suffix('%') {
            Some(percent) => Length::Percent(percent.parse().unwrap()),
            None => Length::Pixels(text.parse().unwrap()),
        };
        // Top, right, bottom, left → canvas, offset, of a picture of 100 × 50.
        for (sides, canvas, offset) in [
            (["20", "20", "20", "20"], (140, 90), (20, 20)),
            (["5%", "5%", "5%", "5%"], (110, 56), (5, 3)),
            (["10", "5%", "0", "1%"], (106, 60), (1, 10)),
            (["0", "0", "0", "0"], (100, 50), (0, 0)),
            (["100%", "0", "0", "65535"], (65_635, 100), (65_535, 50)),
        ] {
            let [top, right, bottom, left] = sides.map(side);
            let mut placed = place(Size::new(100, 50), None);
            placed.extend(&Extend { top, right, bottom, left });
            assert_eq!((placed.canvas.width, placed.canvas.height), canvas, "{sides:?}");
            assert_eq!((placed.offset, placed.scaled), (offset, Size::new(100, 50)), "{sides:?}");
            assert_eq!(placed.has_bars(), sides != ["0"; 4], "{sides:?}");
        }
        // Around the bars of `contain`, of which percent are taken too.
        let mut placed = place(Size::new(100, 50), Some(&resize(100, 100, Fit::Contain, false)));
        let tenth = Length::Percent(10.0);
        placed.extend(&Extend { top: tenth, right: tenth, bottom: tenth, left: tenth });
        assert_eq!((placed.canvas, placed.offset), (Size::new(120, 120), (10, 35)));
        // What is too large is refused, not wrapped around.
        let mut placed = place(Size::new(u32::MAX, 1), None);
        placed.extend(&Extend { top: tenth, right: tenth, bottom: tenth, left: tenth });
        assert_eq!(placed.canvas, Size::new(u32::MAX, 1));
    }

    #[test]
    fn cover_crops_at_the_position() {
        let at = |x, y| {
            let mut resize = resize(300, 300, Fit::Cover, false);
            resize.position = Position::At { x, y };
            let crop = place(Size::new(600, 300), Some(&resize)).crop;
            (crop.left, crop.top, crop.width, crop.height)
        };
        assert_eq!(at(Place::Start, Place::Center), (0.0, 0.0, 300.0, 300.0));
        assert_eq!(at(Place::Center, Place::Start), (150.0, 0.0, 300.0, 300.0));
        assert_eq!(at(Place::End, Place::End), (300.0, 0.0, 300.0, 300.0));
    }

    #[test]
    fn without_a_resize_the_print_is_the_picture() {
        let placed = place(Size::new(7, 5), None);
        assert_eq!((placed.scaled, placed.canvas), (Size::new(7, 5), Size::new(7, 5)));
        assert!(!placed.has_bars());
    }

    proptest! {
        #[test]
        fn no_side_is_0_and_the_crop_lies_in_the_picture(
            w in 1_u32..=30_000, h in 1_u32..=30_000,
            bw in 0_u32..=40_000, bh in 1_u32..=40_000,
            fit in prop::sample::select(vec![Fit::Cover, Fit::Contain, Fit::Fill, Fit::Inside, Fit::Outside]),
            x in prop::sample::select(vec![Place::Start, Place::Center, Place::End]),
            y in prop::sample::select(vec![Place::Start, Place::Center, Place::End]),
            enlarge: bool,
        ) {
            let mut resize = resize(bw, bh, fit, enlarge);
            resize.position = Position::At { x, y };
            let picture = Size::new(w, h);
            let placed = place(picture, Some(&resize));
            prop_assert!(placed.scaled.width >= 1 && placed.scaled.height >= 1);
            prop_assert!(placed.offset.0 + placed.scaled.width <= placed.canvas.width);
            prop_assert!(placed.offset.1 + placed.scaled.height <= placed.canvas.height);
            let crop = placed.crop;
            prop_assert!(crop.left >= 0.0 && crop.top >= 0.0 && crop.width > 0.0 && crop.height > 0.0);
            prop_assert!(crop.left + crop.width <= f64::from(w) && crop.top + crop.height <= f64::from(h));
            if !enlarge {
                prop_assert!(placed.scaled.width <= w && placed.scaled.height <= h);
            }
            if bw > 0 {
                if matches!(fit, Fit::Inside | Fit::Cover) {
                    prop_assert!(placed.canvas.width <= bw && placed.canvas.height <= bh);
                }
                if fit == Fit::Contain {
                    prop_assert_eq!(placed.canvas, Size::new(bw, bh));
                }
            }
        }
    }
}
