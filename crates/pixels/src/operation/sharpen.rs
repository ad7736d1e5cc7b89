//! Unsharp mask on luma.
//!
//! What is added to a pixel is added to its red, green and blue alike, so that
//! its colour differences stay and edges between colours get no fringes: as
//! libvips sharpens the L of Lab alone (<https://www.libvips.org/API/current/method.Image.sharpen.html>).
//! Luma is Rec. 709's of the encoded samples (ITU-R BT.709-6, item 3.2).

use super::gaussian::gaussian;
use super::{float, nearest};
use crate::picture::{Layout, Picture, Sample};

/// How to sharpen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharpening {
    /// Of the Gaussian that is subtracted, in pixels; [`super::blur::SIGMAS`].
    pub sigma: f64,
    /// How much of the difference is added: 1 doubles it.
    pub amount: f64,
    /// Differences of luma up to this, of 255, stay as they are: grain.
    pub threshold: f64,
}

impl Default for Sharpening {
    fn default() -> Self {
        Self { sigma: 1.0, amount: 1.0, threshold: 0.0 }
    }
}

/// The picture sharpened; alpha stays, and hidden pixels count by their alpha.
pub fn sharpened<S: Sample>(mut picture: Picture<S>, how: Sharpening) -> Picture<S> {
    let sigma = how.sigma.clamp(*super::blur::SIGMAS.start(), *super::blur::SIGMAS.end());
    let amount = how.amount as f32;
    let threshold = how.threshold as f32 * S::MAX as f32 / 255.0;
    let channels = picture.layout.channels();
    let size = (picture.size.width as usize, picture.size.height as usize);
    let length = size.0 * channels;
    // The filter reads ahead of the rows that are written.
    let source = picture.pixels.clone();
    let row = |y: usize| &source[y * length..(y + 1) * length];
    let added = |luma: f32, blurred: f32| {
        let difference = luma - blurred;
        if difference.abs() > threshold { amount * difference } else { 0.0 }
    };
    let target = &mut picture.pixels;
    if picture.layout == Layout::Rgba {
        let unit = 1.0 / S::MAX as f32;
        let load = |y: usize, line: &mut [f32]| {
            for (to, pixel) in line.as_chunks_mut::<2>().0.iter_mut().zip(row(y).as_chunks::<4>().0) {
                let alpha = float(pixel[3]);
                *to = [luma(pixel) * alpha * unit, alpha];
            }
        };
        gaussian(size, 2, sigma, load, |y, line| {
            let pixels = target[y * length..(y + 1) * length].as_chunks_mut::<4>().0;
            for (pixel, &[covered, alpha]) in pixels.iter_mut().zip(line.as_chunks::<2>().0) {
                if float(pixel[3]) > 0.0 && alpha > 0.0 {
                    let [r, g, b, _] = *pixel;
                    let more = added(luma(pixel), covered * S::MAX as f32 / alpha);
                    *pixel = [brighter(r, more), brighter(g, more), brighter(b, more), pixel[3]];
                }
            }
        });
        return picture;
    }
    let load = |y: usize, line: &mut [f32]| {
        for (to, pixel) in line.iter_mut().zip(row(y).chunks_exact(channels)) {
            *to = luma(pixel);
        }
    };
    gaussian(size, 1, sigma, load, |y, line| {
        let pixels = target[y * length..(y + 1) * length].chunks_exact_mut(channels);
        for (pixel, &blurred) in pixels.zip(&*line) {
            let more = added(luma(pixel), blurred);
            for sample in pixel {
                *sample = brighter(*sample, more);
            }
        }
    });
    picture
}

fn luma<S: Sample>(pixel: &[S]) -> f32 {
    match *pixel {
        [r, g, b, ..] => 0.2126 * float(r) + 0.7152 * float(g) + 0.0722 * float(b),
        [grey, ..] => float(grey),
        [] => 0.0,
    }
}

fn brighter<S: Sample>(sample: S, more: f32) -> S {
    nearest(float(sample) + more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    fn edge(layout: Layout, dark: &[u8], light: &[u8]) -> Picture {
        let pixels = (0..20).flat_map(|x| if x < 10 { dark } else { light }).copied().collect();
        Picture::new(Size::new(20, 1), layout, pixels)
    }

    #[test]
    fn an_edge_gets_steeper_and_flat_stays() {
        let sharp = sharpened(edge(Layout::Grey, &[80], &[160]), Sharpening::default());
        assert!(sharp.pixels[9] < 70 && sharp.pixels[10] > 170, "{:?}", sharp.pixels);
        assert_eq!((sharp.pixels[0], sharp.pixels[19]), (80, 160));
    }

    #[test]
    fn colour_differences_stay() {
        let sharp = sharpened(edge(Layout::Rgb, &[90, 60, 40], &[160, 200, 120]), Sharpening::default());
        let pixels = sharp.pixels.as_chunks::<3>().0;
        for (x, &[r, g, b]) in pixels.iter().enumerate() {
            let (red, blue) = (i32::from(r) - i32::from(g), i32::from(b) - i32::from(g));
            let wanted = if x < 10 { (30, -20) } else { (-40, -80) };
            assert!((red - wanted.0).abs() <= 1 && (blue - wanted.1).abs() <= 1, "{x}: {r} {g} {b}");
        }
    }

    #[test]
    fn grain_below_the_threshold_stays() {
        let grain = Picture::new(Size::new(40, 1), Layout::Grey, [100_u8, 104].repeat(20));
        let how = Sharpening { threshold: 5.0, ..Sharpening::default() };
        assert_eq!(sharpened(grain.clone(), how), grain);
        assert_ne!(sharpened(grain.clone(), Sharpening::default()), grain);
    }

    #[test]
    fn what_alpha_hides_casts_no_halo() {
        let picture = edge(Layout::Rgba, &[255, 255, 255, 0], &[90, 90, 90, 255]);
        assert_eq!(sharpened(picture.clone(), Sharpening::default()), picture);
    }
}
