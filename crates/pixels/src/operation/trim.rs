//! Borders of one colour, found for cutting off.

use crate::geometry::{Rectangle, Size};
use crate::picture::{Layout, Picture, Sample};

/// What is left of the picture without its borders: the smallest rectangle that
/// holds every pixel unlike the top left one, in which some sample differs by
/// more than `threshold` (of 255). `None` where no pixel is left.
///
/// With alpha, samples are compared times their alpha, and a pixel that cannot
/// be seen is border whatever the top left one is. Unlike sharp's `trim`, no
/// median filter goes before: a speck keeps its border.
///
/// Rows are read from the outside in and no further than the first difference.
pub fn trimmed<S: Sample>(picture: &Picture<S>, threshold: u8) -> Option<Rectangle> {
    match picture.layout {
        Layout::Grey => opaque::<S, 1>(picture, threshold),
        Layout::Rgb => opaque::<S, 3>(picture, threshold),
        Layout::Rgba => {
            let most = u64::from(S::MAX);
            let threshold = u64::from(threshold) * (most / 255) * most;
            // In the unit of MAX · MAX.
            let covered = |pixel: &[S; 4]| {
                let [r, g, b, a] = pixel.map(|sample| u64::from(sample.into()));
                [r * a, g * a, b * a, a * most]
            };
            let corner = covered(picture.pixels.first_chunk()?);
            search(picture, |pixel: &[S; 4]| {
                pixel[3] != S::default()
                    && covered(pixel)
                        .iter()
                        .zip(corner)
                        .any(|(&sample, corner)| sample.abs_diff(corner) > threshold)
            })
        }
    }
}

fn opaque<S: Sample, const N: usize>(picture: &Picture<S>, threshold: u8) -> Option<Rectangle> {
    let threshold = u32::from(threshold) * (S::MAX / 255);
    let corner: [S; N] = *picture.pixels.first_chunk()?;
    let corner = corner.map(|sample| -> u32 { sample.into() });
    search(picture, |pixel: &[S; N]| {
        pixel.iter().zip(corner).any(|(&sample, corner)| sample.into().abs_diff(corner) > threshold)
    })
}

/// The bounds of the pixels that `differ`.
fn search<S: Sample, const N: usize>(
    picture: &Picture<S>,
    differs: impl Fn(&[S; N]) -> bool,
) -> Option<Rectangle> {
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let pixels = picture.pixels.as_chunks::<N>().0;
    let row = |y: usize| &pixels[y * width..(y + 1) * width];
    let top = (0..height).find(|&y| row(y).iter().any(&differs))?;
    let bottom = (top..height).rev().find(|&y| row(y).iter().any(&differs))?;
    let (mut left, mut right) = (width, 0);
    for y in top..=bottom {
        // Only what would widen the bounds is looked at.
        if let Some(x) = row(y)[..left].iter().position(&differs) {
            left = x;
        }
        if let Some(x) = row(y)[right..].iter().rposition(&differs) {
            right += x + 1;
        }
    }
    let size = Size::new((right - left) as u32, (bottom + 1 - top) as u32);
    Some(Rectangle { x: left as u32, y: top as u32, size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// sharp's.
    const THRESHOLD: u8 = 10;

    fn grey(width: u32, rows: &[u8]) -> Picture {
        Picture::new(Size::new(width, rows.len() as u32 / width), Layout::Grey, rows.to_vec())
    }

    fn rectangle(x: u32, y: u32, width: u32, height: u32) -> Rectangle {
        Rectangle { x, y, size: Size::new(width, height) }
    }

    #[test]
    fn borders_like_the_corner_go() {
        #[rustfmt::skip]
        let picture = grey(5, &[
            9, 9, 9, 9, 9,
            9, 9, 200, 9, 15,
            9, 90, 9, 9, 9,
            9, 9, 9, 9, 9,
        ]);
        assert_eq!(trimmed(&picture, THRESHOLD), Some(rectangle(1, 1, 2, 2)));
        assert_eq!(trimmed(&picture, 5), Some(rectangle(1, 1, 4, 2)));
        assert_eq!(trimmed(&picture, 250), None);
        assert_eq!(trimmed(&grey(1, &[0]), THRESHOLD), None);
        assert_eq!(trimmed(&grey(2, &[0, 255]), THRESHOLD), Some(rectangle(1, 0, 1, 1)));
    }

    #[test]
    fn what_cannot_be_seen_is_border() {
        let clear = [200, 1, 90, 0];
        let ink = [10, 20, 30, 255];
        let faint = [255, 255, 255, 10];
        let picture = |pixels: [[u8; 4]; 4]| Picture::new(Size::new(4, 1), Layout::Rgba, pixels.concat());
        assert_eq!(trimmed(&picture([clear, ink, [0; 4], clear]), THRESHOLD), Some(rectangle(1, 0, 1, 1)));
        assert_eq!(trimmed(&picture([[0; 4], faint, ink, clear]), THRESHOLD), Some(rectangle(2, 0, 1, 1)));
        assert_eq!(trimmed(&picture([clear, faint, ink, clear]), 9), Some(rectangle(1, 0, 2, 1)));
        // An opaque corner, with transparency on the other side.
        assert_eq!(trimmed(&picture([ink, faint, ink, clear]), THRESHOLD), Some(rectangle(1, 0, 1, 1)));
        assert_eq!(trimmed(&picture([clear; 4]), THRESHOLD), None);
        let deep = Picture::new(Size::new(2, 1), Layout::Rgb, vec![0_u16, 0, 0, 0, 2571, 0]);
        assert_eq!(trimmed(&deep, THRESHOLD), Some(rectangle(1, 0, 1, 1)));
    }

    proptest! {
        #[test]
        fn nothing_that_differs_is_cut_off(
            width in 1_u32..12, height in 1_u32..12, lit in prop::collection::vec(0_usize..144, 0..5),
        ) {
            let mut rows = vec![0; (width * height) as usize];
            for at in lit {
                let at = at % rows.len();
                rows[at] = 255;
            }
            rows[0] = 0;
            let found = trimmed(&grey(width, &rows), THRESHOLD);
            let at = |x: u32, y: u32| rows[(y * width + x) as usize];
            let differing: Vec<(u32, u32)> = (0..height)
                .flat_map(|y| (0..width).map(move |x| (x, y)))
                .filter(|&(x, y)| at(x, y) > 0)
                .collect();
            let bounds = differing.iter().map(|p| p.0).min().map(|left| {
                let top = differing.iter().map(|p| p.1).min().unwrap_or(0);
                let right = differing.iter().map(|p| p.0).max().unwrap_or(0);
                let bottom = differing.iter().map(|p| p.1).max().unwrap_or(0);
                Rectangle { x: left, y: top, size: Size::new(right + 1 - left, bottom + 1 - top) }
            });
            prop_assert_eq!(found, bounds);
        }
    }
}
