//! Rounded corners.

use super::{float, nearest};
use crate::picture::{Picture, Sample};

/// The radius of the corners, as in CSS's `border-radius`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Radius {
    /// In pixels, both ways.
    Pixels(f64),
    /// Of the width across and of the height down; 50 makes an ellipse.
    Percent(f64),
}

/// Rows that a pixel's row is cut into to find how much of it lies within; each
/// is measured exactly across.
const SLICES: u32 = 16;

/// The picture with alpha multiplied by what of each pixel lies within the
/// rounded corners. Radii that would overlap are reduced together (CSS
/// Backgrounds 3, §4.5). Where nothing is left to see there is no colour.
pub fn rounded<S: Sample>(picture: Picture<S>, radius: Radius) -> Picture<S> {
    let (width, height) = (f64::from(picture.size.width), f64::from(picture.size.height));
    let (rx, ry) = match radius {
        Radius::Pixels(radius) => (radius, radius),
        Radius::Percent(part) => (width * part / 100.0, height * part / 100.0),
    };
    if !(rx > 0.0 && ry > 0.0) {
        return picture;
    }
    let fit = (width / (2.0 * rx)).min(height / (2.0 * ry)).min(1.0);
    let (rx, ry) = (rx * fit, ry * fit);
    let mut picture = picture.into_rgba();
    let columns = picture.size.width as usize;
    let rows = picture.size.height as usize;
    // Halves of an odd side meet in its middle pixel: that one is cut by both corners.
    let reach = (rx.ceil() as usize).min(columns);
    for y in 0..(ry.ceil() as usize).min(rows) {
        let insets: [f64; SLICES as usize] = std::array::from_fn(|slice| {
            let down = (y as f64 + (slice as f64 + 0.5) / f64::from(SLICES)).min(ry);
            let t = 1.0 - down / ry;
            rx * (1.0 - (1.0 - t * t).max(0.0).sqrt())
        });
        for x in 0..reach {
            let covered: f64 = insets.iter().map(|inset| (x as f64 + 1.0 - inset).clamp(0.0, 1.0)).sum();
            let covered = covered / f64::from(SLICES);
            if covered >= 1.0 {
                break;
            }
            let (right, bottom) = (columns - 1 - x, rows - 1 - y);
            for (x, y, again) in [
                (x, y, false),
                (right, y, right == x),
                (x, bottom, bottom == y),
                (right, bottom, right == x || bottom == y),
            ] {
                if !again {
                    cover(&mut picture.pixels[(y * columns + x) * 4..][..4], covered as f32);
                }
            }
        }
    }
    picture
}

fn cover<S: Sample>(pixel: &mut [S], covered: f32) {
    pixel[3] = nearest(float(pixel[3]) * covered);
    if pixel[3] == S::default() {
        pixel.fill(S::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::picture::Layout;

    fn white(width: u32, height: u32) -> Picture {
        Picture::new(Size::new(width, height), Layout::Grey, vec![255; (width * height) as usize])
    }

    fn alpha(picture: &Picture) -> Vec<u8> {
        picture.pixels.chunks_exact(4).map(|pixel| pixel[3]).collect()
    }

    #[test]
    fn corners_go_and_sides_stay() {
        let round = rounded(white(40, 30), Radius::Pixels(10.0));
        let at = |x: usize, y: usize| round.pixels[(y * 40 + x) * 4 + 3];
        assert_eq!([at(0, 0), at(39, 0), at(0, 29), at(39, 29)], [0; 4]);
        assert_eq!([at(20, 0), at(0, 15), at(39, 15), at(20, 29), at(10, 10)], [255; 5]);
        assert!((1..255).contains(&at(3, 2)), "{}", at(3, 2));
        for (x, y) in (0..40).flat_map(|x| (0..30).map(move |y| (x, y))) {
            assert_eq!(at(x, y), at(39 - x, y));
            assert_eq!(at(x, y), at(x, 29 - y));
        }
    }

    #[test]
    fn half_is_an_ellipse_of_its_area() {
        for (width, height) in [(101, 101), (200, 100), (64, 64), (31, 90)] {
            let round = rounded(white(width, height), Radius::Percent(50.0));
            let area: f64 = alpha(&round).iter().map(|&a| f64::from(a) / 255.0).sum();
            let wanted = std::f64::consts::PI * f64::from(width) * f64::from(height) / 4.0;
            assert!((area / wanted - 1.0).abs() < 2e-3, "{width}x{height}: {area} for {wanted}");
        }
    }

    #[test]
    fn too_large_a_radius_is_the_largest_and_none_is_none() {
        assert_eq!(
            rounded(white(20, 50), Radius::Pixels(400.0)),
            rounded(white(20, 50), Radius::Pixels(10.0))
        );
        assert_eq!(rounded(white(20, 50), Radius::Pixels(0.0)), white(20, 50));
        assert_eq!(rounded(white(1, 1), Radius::Percent(50.0)).size, Size::new(1, 1));
    }

    #[test]
    fn alpha_is_multiplied_and_what_is_gone_has_no_colour() {
        let pixels = [9_u16, 8, 7, 32_768].repeat(400);
        let round = rounded(Picture::new(Size::new(20, 20), Layout::Rgba, pixels), Radius::Percent(50.0));
        for pixel in round.pixels.as_chunks::<4>().0 {
            assert!(pixel[3] <= 32_768);
            assert_eq!(pixel[3] == 0, *pixel == [0; 4]);
        }
    }
}
