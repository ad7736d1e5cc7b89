//! The colour that a picture is remembered by.
//!
//! Pixels are put into bins of 8 × 8 × 8 of RGB; the fullest neighbourhood of
//! bins wins, and the mean of its pixels is the colour. So the colour stands in
//! the picture, while the mean of a red and a green half stands nowhere.
//! Saturated colours count a little more: of a red flower on grey, people
//! remember the red.

use crate::picture::{Layout, Picture};

/// Bins along each channel.
const BINS: usize = 8;
/// Weight of a pixel without colour; a fully saturated one has `GREY + COLOUR`.
const GREY: u64 = 255;
const COLOUR: u64 = 255;

#[derive(Clone, Copy, Default)]
struct Bin {
    weight: u64,
    /// Of the samples times their weight.
    sums: [u64; 3],
}

/// The dominant colour, RGB; of pixels by their alpha; white where nothing is
/// seen. Of equally full neighbourhoods the darker is taken.
pub(super) fn dominant(picture: &Picture) -> [u8; 3] {
    let mut bins = vec![Bin::default(); BINS * BINS * BINS];
    each_pixel(picture, |rgb, alpha| {
        let [r, g, b] = rgb.map(|sample| usize::from(sample) * BINS / 256);
        let (most, least) = (rgb.iter().max().unwrap_or(&0), rgb.iter().min().unwrap_or(&0));
        let weight = u64::from(alpha) * (GREY + COLOUR * u64::from(most - least) / 255);
        let bin = &mut bins[(r * BINS + g) * BINS + b];
        bin.weight += weight;
        for (sum, sample) in bin.sums.iter_mut().zip(rgb) {
            *sum += weight * u64::from(sample);
        }
    });
    let neighbourhood = |index: usize| {
        let mut total = Bin::default();
        let [r, g, b] = [index / (BINS * BINS), index / BINS % BINS, index % BINS];
        let around = |at: usize| at.saturating_sub(1)..=(at + 1).min(BINS - 1);
        for r in around(r) {
            for g in around(g) {
                for b in around(b) {
                    let bin = bins[(r * BINS + g) * BINS + b];
                    total.weight += bin.weight;
                    for (sum, more) in total.sums.iter_mut().zip(bin.sums) {
                        *sum += more;
                    }
                }
            }
        }
        total
    };
    // The centre bin counts again, so that of overlapping neighbourhoods the one
    // around the fullest bin wins.
    let mut best = (0, Bin::default());
    for (index, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.weight > 0) {
        let around = neighbourhood(index);
        let weight = around.weight + bin.weight;
        if weight > best.0 {
            best = (weight, around);
        }
    }
    mean(best.1.sums, best.1.weight)
}

/// The mean colour of encoded samples, by alpha; white where nothing is seen.
pub(super) fn average(picture: &Picture) -> [u8; 3] {
    let (mut sums, mut weight) = ([0; 3], 0);
    each_pixel(picture, |rgb, alpha| {
        weight += u64::from(alpha);
        for (sum, sample) in sums.iter_mut().zip(rgb) {
            *sum += u64::from(alpha) * u64::from(sample);
        }
    });
    mean(sums, weight)
}

fn mean(sums: [u64; 3], weight: u64) -> [u8; 3] {
    if weight == 0 { [255; 3] } else { sums.map(|sum| ((sum + weight / 2) / weight) as u8) }
}

fn each_pixel(picture: &Picture, mut see: impl FnMut([u8; 3], u8)) {
    for pixel in picture.pixels.chunks_exact(picture.layout.channels()) {
        match (picture.layout, pixel) {
            (Layout::Rgb, &[r, g, b]) => see([r, g, b], 255),
            (Layout::Rgba, &[r, g, b, a]) => see([r, g, b], a),
            _ => see([pixel[0]; 3], 255),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    fn of(parts: &[([u8; 3], usize)]) -> Picture {
        let pixels: Vec<u8> = parts.iter().flat_map(|&(colour, count)| colour.repeat(count)).collect();
        Picture::new(Size::new((pixels.len() / 3) as u32, 1), Layout::Rgb, pixels)
    }

    #[test]
    fn the_colour_stands_in_the_picture() {
        let halves = of(&[([200, 20, 20], 51), ([20, 180, 20], 49)]);
        assert_eq!(dominant(&halves), [200, 20, 20]);
        assert_eq!(average(&halves), [112, 98, 20]);
        // Across the border of bins.
        assert_eq!(dominant(&of(&[([95, 95, 95], 30), ([96, 96, 96], 30), ([250, 250, 250], 40)])), [96; 3]);
    }

    #[test]
    fn colour_counts_more_than_grey() {
        assert_eq!(dominant(&of(&[([128; 3], 55), ([220, 10, 30], 45)])), [220, 10, 30]);
        assert_eq!(dominant(&of(&[([128; 3], 90), ([220, 10, 30], 10)])), [128; 3]);
    }

    #[test]
    fn what_is_hidden_does_not_count() {
        let pixels = [[255, 0, 0, 0], [255, 0, 0, 0], [0, 0, 90, 255]].concat();
        let picture = Picture::new(Size::new(3, 1), Layout::Rgba, pixels);
        assert_eq!((dominant(&picture), average(&picture)), ([0, 0, 90], [0, 0, 90]));
        let clear = Picture::new(Size::new(1, 1), Layout::Rgba, vec![1, 2, 3, 0]);
        assert_eq!((dominant(&clear), average(&clear)), ([255; 3], [255; 3]));
        assert_eq!(dominant(&Picture::new(Size::new(2, 1), Layout::Grey, vec![7, 7])), [7; 3]);
    }
}
