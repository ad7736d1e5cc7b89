//! Scaling pictures with Lanczos3, alpha premultiplied meanwhile.

use crate::geometry::{CropBox, Size};
use crate::picture::{Depth, Layout, Picture, Sample};
use crate::resample::{Axes, Axis, Filter, Rows, Stretch, float};
use crate::srgb::Transfer;

/// The part `crop` of `picture`, in its pixels, at `size`.
///
/// The filter reads beyond the crop where the picture goes on, as Pillow's
/// `resize(box=…)` does. A crop on whole pixels that keeps its size is a copy.
pub fn scaled<S: Sample>(picture: &Picture<S>, crop: CropBox, size: Size) -> Picture<S> {
    if is_copy(crop, size) {
        return picture.cut(crop.left.round() as u32, crop.top.round() as u32, size);
    }
    if S::DEPTH == Depth::Eight && picture.layout != Layout::Rgba {
        return in_whole_numbers(picture, crop, size);
    }
    let most = S::MAX as f32;
    let sample = |v: S| {
        let v: u32 = v.into();
        v as f32
    };
    in_floats(picture, crop, size, sample, |v| S::from_u32((v + 0.5).clamp(0.0, most) as u32))
}

/// The part `crop` of `picture` at `size`, like [`scaled`] but filtered in linear
/// light: sRGB is decoded before and encoded after, so that a fine pattern of
/// black and white comes out as bright as it looked from afar. Alpha, which is
/// linear, stays as it is, and colour is multiplied by it meanwhile.
pub fn scaled_in_light<S: Sample>(picture: &Picture<S>, crop: CropBox, size: Size) -> Picture<S> {
    if is_copy(crop, size) {
        return picture.cut(crop.left.round() as u32, crop.top.round() as u32, size);
    }
    let transfer = Transfer::<S>::new();
    in_floats(picture, crop, size, |v| transfer.linear(v), |v| transfer.encoded(v))
}

/// [`scaled_in_light`] where `linear`, else [`scaled`].
pub fn scaled_as<S: Sample>(picture: &Picture<S>, crop: CropBox, size: Size, linear: bool) -> Picture<S> {
    if linear { scaled_in_light(picture, crop, size) } else { scaled(picture, crop, size) }
}

/// Whether a crop lies on whole pixels and keeps its size.
fn is_copy(crop: CropBox, size: Size) -> bool {
    let whole = |v: f64| (v - v.round()).abs() < 1e-6;
    (crop.width - f64::from(size.width)).abs() < 1e-6
        && (crop.height - f64::from(size.height)).abs() < 1e-6
        && whole(crop.left)
        && whole(crop.top)
}

/// The columns and the rows of `crop` at `size`.
fn stretches(crop: CropBox, size: Size) -> [[Stretch; 1]; 2] {
    [
        [Stretch { length: size.width, from: crop.left, from_length: crop.width }],
        [Stretch { length: size.height, from: crop.top, from_length: crop.height }],
    ]
}

/// How the part `crop` of 8 bits without alpha, in a picture of `held` pixels,
/// becomes a picture of `size`.
pub fn axes(crop: CropBox, size: Size, held: Size) -> Axes {
    let [columns, rows] = stretches(crop, size);
    Axes::new(Filter::Lanczos3, &columns, &rows, held)
}

/// Scales 8 bits without alpha.
fn in_whole_numbers<S: Sample>(picture: &Picture<S>, crop: CropBox, size: Size) -> Picture<S> {
    let channels = picture.layout.channels();
    let axes = axes(crop, size, picture.size);
    let stride = picture.size.width as usize * channels;
    let source = Rows { samples: bytemuck::cast_slice(&picture.pixels), first: 0, stride, channels };
    let mut pixels = vec![S::default(); size.pixels() as usize * channels];
    let target = bytemuck::cast_slice_mut(&mut pixels);
    axes.resample(source, 0..size.height as usize, target, size.width as usize * channels);
    Picture::new(size, picture.layout, pixels)
}

/// Scales what `decode` makes of the samples, and has them back from `encode`;
/// alpha is a share of 1 meanwhile and multiplies the colour.
fn in_floats<S: Sample>(
    picture: &Picture<S>,
    crop: CropBox,
    size: Size,
    decode: impl Fn(S) -> f32,
    encode: impl Fn(f32) -> S,
) -> Picture<S> {
    let channels = picture.layout.channels();
    let [columns, rows] = stretches(crop, size);
    let columns = Axis::new(Filter::Lanczos3, &columns, picture.size.width);
    let rows = Axis::new(Filter::Lanczos3, &rows, picture.size.height);
    let skipped = columns.reads().start * channels;
    let stride = picture.size.width as usize * channels;
    let most = S::MAX as f32;
    let mut pixels = Vec::with_capacity(size.pixels() as usize * channels);
    float::resample(
        &columns,
        &rows,
        0..size.height as usize,
        channels,
        |y, row| {
            let samples = &picture.pixels[y * stride + skipped..][..row.len()];
            if picture.layout == Layout::Rgba {
                for (to, &[r, g, b, a]) in
                    row.as_chunks_mut::<4>().0.iter_mut().zip(samples.as_chunks::<4>().0)
                {
                    let cover: u32 = a.into();
                    let cover = cover as f32 / most;
                    *to = [decode(r) * cover, decode(g) * cover, decode(b) * cover, cover];
                }
            } else {
                row.iter_mut().zip(samples).for_each(|(to, &from)| *to = decode(from));
            }
        },
        |_, outputs| match outputs {
            [red, green, blue, alpha] => {
                for (((&r, &g), &b), &cover) in red.iter().zip(green).zip(blue).zip(alpha) {
                    let a = S::from_u32((cover * most + 0.5).clamp(0.0, most) as u32);
                    // What is not seen is black: it shall not cost bytes.
                    let seen = if a == S::default() { 0.0 } else { cover.recip() };
                    pixels.extend([encode(r * seen), encode(g * seen), encode(b * seen), a]);
                }
            }
            [red, green, blue] => {
                let colours = red.iter().zip(green).zip(blue);
                pixels.extend(colours.flat_map(|((&r, &g), &b)| [encode(r), encode(g), encode(b)]));
            }
            outputs => pixels.extend(outputs.iter().flatten().map(|&v| encode(v))),
        },
    );
    Picture::new(size, picture.layout, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::tests::{by_definition, noise};

    #[test]
    fn hidden_colour_does_not_bleed_into_what_is_seen() {
        // A transparent red beside an opaque blue.
        let picture = Picture::new(
            Size::new(4, 1),
            Layout::Rgba,
            [[255_u8, 0, 0, 0], [255, 0, 0, 0], [0, 0, 255, 255], [0, 0, 255, 255]].concat(),
        );
        let half = scaled(&picture, CropBox::of(picture.size), Size::new(2, 1));
        for pixel in half.pixels.chunks_exact(4).filter(|p| p[3] > 8) {
            assert_eq!(pixel[0], 0, "{pixel:?}");
        }
    }

    #[test]
    fn colour_is_weighed_by_its_cover_and_nothing_else_is_lost() {
        let (from, to) = (Size::new(90, 61), Size::new(37, 40));
        let pixels = noise(from.pixels() as usize * 4);
        let covered: Vec<f64> = pixels
            .chunks_exact(4)
            .flat_map(|p| {
                [0, 1, 2, 3].map(|at| f64::from(p[at]) * if at < 3 { f64::from(p[3]) / 255.0 } else { 1.0 })
            })
            .collect();
        let wanted = by_definition(&covered, from, to, 4);
        let picture = Picture::new(from, Layout::Rgba, pixels);
        let deep =
            Picture::new(from, Layout::Rgba, picture.pixels.iter().map(|&v| u16::widened(v)).collect());
        let eight = scaled(&picture, CropBox::of(from), to);
        let sixteen = scaled(&deep, CropBox::of(from), to);
        for (at, wanted) in wanted.chunks_exact(4).enumerate() {
            let colour = |channel: usize| (wanted[channel] * 255.0 / wanted[3]).clamp(0.0, 255.0);
            let wanted = [colour(0), colour(1), colour(2), wanted[3].clamp(0.0, 255.0)];
            for (channel, wanted) in wanted.into_iter().enumerate() {
                let off = f64::from(eight.pixels[at * 4 + channel]) - wanted;
                assert!(off.abs() <= 0.51, "{at}, {channel}: {off}");
                let off = f64::from(sixteen.pixels[at * 4 + channel]) - wanted * 257.0;
                assert!(off.abs() <= 0.6, "{at}, {channel}, of 16 bits: {off}");
            }
        }
    }

    #[test]
    fn a_chequerboard_keeps_half_of_its_light() {
        let pixels: Vec<u8> =
            (0..64 * 64).map(|i| if (i % 64 + i / 64) % 2 == 0 { 0 } else { 255 }).collect();
        let board = Picture::new(Size::new(64, 64), Layout::Grey, pixels);
        let whole = CropBox::of(board.size);
        let small = scaled_in_light(&board, whole, Size::new(8, 8));
        assert!(small.pixels.iter().all(|&v| v.abs_diff(188) <= 2), "{:?}", small.pixels);
        let small = scaled(&board, whole, Size::new(8, 8));
        assert!(small.pixels.iter().all(|&v| v.abs_diff(128) <= 2), "{:?}", small.pixels);
        let deep = board.pixels.iter().map(|&v| u16::widened(v)).collect();
        let small = scaled_in_light(&Picture::new(board.size, Layout::Grey, deep), whole, Size::new(8, 8));
        assert!(small.pixels.iter().all(|v| v.abs_diff(48_193) <= 400), "{:?}", small.pixels);
    }

    #[test]
    fn flat_colour_and_alpha_stay_in_linear_light() {
        for layout in [Layout::Grey, Layout::Rgb, Layout::Rgba] {
            let pixel = [3_u8, 90, 254, 77];
            let flat = pixel[..layout.channels()].repeat(50 * 20);
            let flat = Picture::new(Size::new(50, 20), layout, flat);
            let crop = CropBox { left: 11.5, top: 2.25, width: 33.0, height: 12.0 };
            let small = scaled_in_light(&flat, crop, Size::new(7, 3));
            assert_eq!(small.pixels, pixel[..layout.channels()].repeat(21));
            let deep = flat.pixels.iter().map(|&v| u16::widened(v)).collect();
            let small = scaled_in_light(&Picture::new(flat.size, layout, deep), crop, Size::new(90, 33));
            let wanted: Vec<u16> = pixel[..layout.channels()].iter().map(|&v| u16::widened(v)).collect();
            for (at, &got) in small.pixels.iter().enumerate() {
                assert!(got.abs_diff(wanted[at % wanted.len()]) <= 2, "{layout:?}: {got}");
            }
        }
    }

    #[test]
    fn a_crop_in_light_is_the_crop_of_the_whole() {
        let pixels: Vec<u8> = (0..90 * 60 * 3_u32).map(|i| (i * 7919 % 253) as u8).collect();
        let picture = Picture::new(Size::new(90, 60), Layout::Rgb, pixels);
        let whole = scaled_in_light(&picture, CropBox::of(picture.size), Size::new(30, 20));
        let crop = CropBox { left: 30.0, top: 15.0, width: 45.0, height: 30.0 };
        let part = scaled_in_light(&picture, crop, Size::new(15, 10));
        assert_eq!(part, whole.cut(10, 5, Size::new(15, 10)));
    }

    #[test]
    fn a_crop_of_the_same_size_is_a_copy() {
        let picture = Picture::new(Size::new(3, 1), Layout::Grey, vec![1_u8, 200, 3]);
        let crop = CropBox { left: 1.0, top: 0.0, width: 2.0, height: 1.0 };
        assert_eq!(scaled(&picture, crop, Size::new(2, 1)).pixels, [200, 3]);
    }

    #[test]
    fn sixteen_bits_scale_as_eight_do() {
        let size = Size::new(97, 61);
        let mut state = 1_u32;
        let narrow: Vec<u8> = (0..size.pixels() * 3)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // No overshoot is cut off: that depends on which axis comes first.
                100 + (state >> 26) as u8
            })
            .collect();
        let wide: Vec<u16> = narrow.iter().map(|&v| u16::from(v) * 257).collect();
        let narrow = Picture::new(size, Layout::Rgb, narrow);
        let wide = Picture::new(size, Layout::Rgb, wide);
        for to in [Size::new(40, 25), Size::new(60, 38), Size::new(150, 100)] {
            let a = scaled(&narrow, CropBox::of(size), to);
            let b = scaled(&wide, CropBox::of(size), to).narrowed();
            let worst = a.pixels.iter().zip(&b.pixels).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(2), "{to:?}: {worst:?}");
        }
    }
}
