//! Gaussian blur.

use super::gaussian::gaussian;
use super::{float, nearest};
use crate::picture::{Layout, Picture, Sample};

/// The least sigma that changes anything worth the name, and the most that is
/// told from a flat picture: the range of sharp's `blur(sigma)`.
pub const SIGMAS: std::ops::RangeInclusive<f64> = 0.3..=1000.0;

/// The picture blurred by a Gaussian of `sigma` pixels ([`SIGMAS`]; beyond, the
/// nearest of them), edges extended, alpha premultiplied meanwhile.
///
/// Filters encoded samples, as sharp and Pillow do. Unlike sharp's, the kernel
/// reaches three sigmas; sharp cuts its own off at a fifth of its height (its
/// `minAmplitude`), which is a little less blur.
pub fn blurred<S: Sample>(picture: &Picture<S>, sigma: f64) -> Picture<S> {
    let sigma = sigma.clamp(*SIGMAS.start(), *SIGMAS.end());
    let channels = picture.layout.channels();
    let size = (picture.size.width as usize, picture.size.height as usize);
    let length = size.0 * channels;
    let mut pixels = Vec::with_capacity(picture.pixels.len());
    let row = |y: usize| &picture.pixels[y * length..(y + 1) * length];
    if picture.layout == Layout::Rgba {
        let unit = 1.0 / S::MAX as f32;
        let load = |y: usize, line: &mut [f32]| {
            for (to, pixel) in line.as_chunks_mut::<4>().0.iter_mut().zip(row(y).as_chunks::<4>().0) {
                let [r, g, b, a] = pixel.map(float);
                let cover = a * unit;
                *to = [r * cover, g * cover, b * cover, a];
            }
        };
        gaussian(size, channels, sigma, load, |_, line| {
            for &[r, g, b, a] in line.as_chunks::<4>().0 {
                // What rounds to nothing has no colour either.
                let cover = if a < 0.5 { 0.0 } else { S::MAX as f32 / a };
                pixels.extend([nearest(r * cover), nearest(g * cover), nearest(b * cover), nearest::<S>(a)]);
            }
        });
    } else {
        let load = |y: usize, line: &mut [f32]| {
            for (to, &sample) in line.iter_mut().zip(row(y)) {
                *to = float(sample);
            }
        };
        gaussian(size, channels, sigma, load, |_, line| {
            pixels.extend(line.iter().map(|&value| nearest::<S>(value)));
        });
    }
    Picture::new(picture.size, picture.layout, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    #[test]
    fn hidden_colour_does_not_bleed() {
        for sigma in [0.8, 3.0, 12.0] {
            let row = [[255_u8, 0, 0, 0]; 20].into_iter().chain([[0, 0, 255, 255]; 20]);
            let picture = Picture::new(Size::new(40, 1), Layout::Rgba, row.flatten().collect());
            for pixel in blurred(&picture, sigma).pixels.as_chunks::<4>().0 {
                assert_eq!(pixel[0], 0, "sigma {sigma}: {pixel:?}");
                assert!(pixel[3] == 0 || pixel[2] >= 254, "sigma {sigma}: {pixel:?}");
            }
        }
    }

    #[test]
    fn both_depths_and_every_layout_show_the_same() {
        for layout in [Layout::Grey, Layout::Rgb, Layout::Rgba] {
            let count = 31 * 17 * layout.channels();
            let pixels: Vec<u8> = (0..count).map(|i| (i * 73 % 251) as u8).collect();
            let deep = pixels.iter().map(|&v| u16::widened(v)).collect();
            for sigma in [0.5, 2.0, 7.0] {
                let eight = blurred(&Picture::new(Size::new(31, 17), layout, pixels.clone()), sigma);
                let sixteen = blurred(&Picture::new(Size::new(31, 17), layout, Clone::clone(&deep)), sigma);
                let most =
                    eight.pixels.iter().zip(sixteen.narrowed().pixels).map(|(a, b)| a.abs_diff(b)).max();
                assert!(most.is_some_and(|most| most <= 1), "{layout:?} sigma {sigma}: {most:?}");
            }
        }
    }

    #[test]
    fn light_is_neither_made_nor_lost() {
        let mut pixels = vec![0_u16; 101 * 101];
        pixels[50 * 101 + 50] = 60_000;
        for sigma in [1.0, 3.0, 6.0] {
            let picture = Picture::new(Size::new(101, 101), Layout::Grey, pixels.clone());
            let total: u64 = blurred(&picture, sigma).pixels.iter().map(|&v| u64::from(v)).sum();
            assert!(total.abs_diff(60_000) < 600, "sigma {sigma}: {total}");
        }
    }
}
