//! Where a crop should lie so that it shows what people look at.
//!
//! The idea is that of libvips' `attention` (`vips_smartcrop`, <https://www.libvips.org/API/current/method.Image.smartcrop.html>)
//! and of smartcrop.js (<https://github.com/jwagner/smartcrop.js>): fine detail,
//! strong colour and the colour of skin draw the eye. libvips centres the crop
//! on the strongest spot; here the crop that holds the most is taken, what lies
//! well inside it counting twice, so that a subject is not cut in half.

use crate::geometry::Size;
use crate::picture::{Layout, Picture};

/// The longest side of a picture that is worth giving to [`offset`]. More shows
/// grain, not subjects.
pub const SIDE: u32 = 256;

/// Weights of what draws the eye, each from 0 to 1 in a pixel. Found by eye on
/// the example photos; skin leads since a face that is cut off is the fault that
/// people see first.
const DETAIL: f64 = 1.0;
const COLOUR: f64 = 0.6;
const SKIN: f64 = 1.6;
/// What a crop at the edge of the picture loses against one in the middle:
/// photographers put subjects there, and a picture without any stays centred.
const CENTRE: f64 = 0.1;
/// The part of the crop, along each side, in which things count twice.
const INNER: f64 = 0.7;

/// Left and top edge, in pixels of `picture`, of the best crop of `crop` pixels,
/// which is not larger than `picture`.
///
/// Deterministic: of equally good crops the one nearest to the middle, then the
/// first, is taken. Hidden pixels draw nothing.
pub fn offset(picture: &Picture, crop: Size) -> (u32, u32) {
    let size = picture.size;
    let slack = (size.width.saturating_sub(crop.width), size.height.saturating_sub(crop.height));
    if slack == (0, 0) {
        return slack;
    }
    let sums = Sums::of(&saliency(picture), size);
    let (width, height) = (crop.width.min(size.width), crop.height.min(size.height));
    let inset = |side: u32| (f64::from(side) * (1.0 - INNER) / 2.0).round() as u32;
    let (across, down) = (inset(width), inset(height));
    // 0 in the middle, 1 at an end.
    let off_centre = |at: u32, slack: u32| {
        if slack == 0 { 0.0 } else { (2.0 * f64::from(at) / f64::from(slack) - 1.0).abs() }
    };
    let mut best = ((0, 0), f64::NEG_INFINITY, f64::INFINITY);
    for y in 0..=slack.1 {
        for x in 0..=slack.0 {
            let all = sums.within(x, y, width, height);
            let inner = sums.within(x + across, y + down, width - 2 * across, height - 2 * down);
            let distance = off_centre(x, slack.0).max(off_centre(y, slack.1));
            let score = (all + inner) as f64 * (1.0 - CENTRE * distance);
            if score > best.1 || (score >= best.1 && distance < best.2) {
                best = ((x, y), score, distance);
            }
        }
    }
    best.0
}

/// How much each pixel draws the eye, in whole numbers, which add up the same in
/// any order.
fn saliency(picture: &Picture) -> Vec<u32> {
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let channels = picture.layout.channels();
    let pixels: Vec<([f64; 3], f64)> = picture
        .pixels
        .chunks_exact(channels)
        .map(|pixel| {
            let value = |sample: u8| f64::from(sample) / 255.0;
            match (picture.layout, pixel) {
                (Layout::Rgb, &[r, g, b]) => ([value(r), value(g), value(b)], 1.0),
                (Layout::Rgba, &[r, g, b, a]) => ([value(r), value(g), value(b)], value(a)),
                _ => ([value(pixel[0]); 3], 1.0),
            }
        })
        .collect();
    // Hidden colour makes no edges.
    let luma: Vec<f64> = pixels
        .iter()
        .map(|([r, g, b], alpha)| (0.2126 * r + 0.7152 * g + 0.0722 * b) * alpha + 0.5 * (1.0 - alpha))
        .collect();
    let mut out = Vec::with_capacity(pixels.len());
    for y in 0..height {
        for x in 0..width {
            let at = |x: usize, y: usize| luma[y * width + x];
            let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
            let (up, down) = (y.saturating_sub(1), (y + 1).min(height - 1));
            let around = at(left, y) + at(right, y) + at(x, up) + at(x, down);
            let detail = (4.0 * at(x, y) - around).abs().min(1.0);
            let (colour, alpha) = pixels[y * width + x];
            let bright = at(x, y);
            let drawn = DETAIL * detail
                + alpha * (COLOUR * colourfulness(colour, bright) + SKIN * skin(colour, bright));
            out.push((drawn * 1000.0).round() as u32);
        }
    }
    out
}

/// Saturation above the usual, of what is neither black nor white.
fn colourfulness([r, g, b]: [f64; 3], luma: f64) -> f64 {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if !(0.05..=0.95).contains(&luma) {
        return 0.0;
    }
    ((most - least - 0.4) / 0.6).max(0.0)
}

/// Nearness to the direction of skin in RGB, whatever its brightness
/// (smartcrop.js' mean of skin tones).
fn skin([r, g, b]: [f64; 3], luma: f64) -> f64 {
    const TONE: [f64; 3] = [0.78, 0.57, 0.44];
    let length = |[r, g, b]: [f64; 3]| (r * r + g * g + b * b).sqrt();
    let own = length([r, g, b]);
    if own < 1e-6 || !(0.2..=0.95).contains(&luma) {
        return 0.0;
    }
    let unit = length(TONE);
    let [dr, dg, db] = [r / own - TONE[0] / unit, g / own - TONE[1] / unit, b / own - TONE[2] / unit];
    let near = 1.0 - length([dr, dg, db]);
    ((near - 0.85) / 0.15).max(0.0)
}

/// Sums over rectangles in four look-ups.
struct Sums {
    /// Of all pixels left of and above each corner between pixels.
    sums: Vec<u64>,
    columns: usize,
}

impl Sums {
    fn of(values: &[u32], size: Size) -> Self {
        let columns = size.width as usize + 1;
        let mut sums = vec![0_u64; columns];
        for row in values.chunks_exact(size.width as usize) {
            let above = sums.len() - columns;
            sums.push(0);
            let mut total = 0;
            for (x, &value) in row.iter().enumerate() {
                total += u64::from(value);
                sums.push(total + sums[above + x + 1]);
            }
        }
        Self { sums, columns }
    }

    fn within(&self, x: u32, y: u32, width: u32, height: u32) -> u64 {
        let at = |x: u32, y: u32| self.sums[y as usize * self.columns + x as usize];
        at(x + width, y + height) + at(x, y) - at(x, y + height) - at(x + width, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey picture with a rectangle of another colour.
    fn patch(size: Size, (x, y): (u32, u32), side: u32, colour: [u8; 3]) -> Picture {
        let inside = |at: u32, start: u32| (start..start + side).contains(&at);
        let pixels = (0..size.height)
            .flat_map(|row| (0..size.width).map(move |column| (column, row)))
            .flat_map(|(column, row)| if inside(column, x) && inside(row, y) { colour } else { [110; 3] })
            .collect();
        Picture::new(size, Layout::Rgb, pixels)
    }

    #[test]
    fn a_patch_that_stands_out_is_in_the_crop() {
        let size = Size::new(200, 100);
        for (colour, name) in [([255; 3], "bright"), ([230, 20, 30], "red"), ([200, 145, 112], "skin")] {
            for left in [0, 30, 90, 150, 180] {
                let (x, y) = offset(&patch(size, (left, 40), 20, colour), Size::new(100, 100));
                assert_eq!(y, 0);
                assert!(x <= left && left + 20 <= x + 100, "{name} patch at {left}: crop at {x}");
            }
        }
        let (x, y) = offset(&patch(size, (150, 70), 20, [255; 3]), Size::new(50, 50));
        assert!((120..=150).contains(&x) && (40..=70).contains(&y), "{x} {y}");
    }

    #[test]
    fn nothing_that_stands_out_leaves_the_middle() {
        let flat = Picture::new(Size::new(90, 41), Layout::Grey, vec![99; 90 * 41]);
        assert_eq!(offset(&flat, Size::new(30, 41)), (30, 0));
        assert_eq!(offset(&flat, Size::new(30, 21)), (30, 10));
        assert_eq!(offset(&flat, Size::new(90, 41)), (0, 0));
        assert_eq!(offset(&flat, Size::new(200, 200)), (0, 0));
    }

    #[test]
    fn hidden_pixels_draw_nothing() {
        let size = Size::new(120, 40);
        let bright = patch(size, (90, 10), 20, [255, 0, 0]);
        let pixels = bright.pixels.as_chunks::<3>().0.iter().zip(0..);
        let hidden =
            pixels.flat_map(|(&[r, g, b], at)| [r, g, b, if at % 120 < 80 { 255 } else { 0 }]).collect();
        let (x, _) = offset(&Picture::new(size, Layout::Rgba, hidden), Size::new(40, 40));
        assert!(x < 70, "{x}");
    }

    #[test]
    fn one_pixel_wide_is_no_trouble() {
        let line = Picture::new(Size::new(1, 50), Layout::Grey, (0..50).collect());
        let (x, y) = offset(&line, Size::new(1, 10));
        assert_eq!(x, 0);
        assert!(y <= 40);
    }
}
