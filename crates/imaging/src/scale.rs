//! Scaling with Lanczos3, alpha premultiplied meanwhile.

use crate::Error;
use crate::picture::{Layout, Picture, Sample};
use crate::plan::geometry::Size;
use crate::planes::CropBox;
use crate::srgb::Transfer;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{F32, F32x3, F32x4, U8, U8x3, U8x4, U16, U16x3, U16x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// Samples that the resizer knows, and its pixel types of them.
pub(crate) trait Scalable: Sample {
    type Grey: PixelTrait;
    type Rgb: PixelTrait;
    type Rgba: PixelTrait;

    /// The samples of `crop` of `picture` at `size`, filtered in linear light.
    fn in_light(
        picture: &Picture<Self>,
        crop: CropBox,
        size: Size,
        transfer: &Transfer<Self>,
    ) -> Result<Vec<Self>, String>;
}

impl Scalable for u8 {
    type Grey = U8;
    type Rgb = U8x3;
    type Rgba = U8x4;

    fn in_light(
        picture: &Picture<Self>,
        crop: CropBox,
        size: Size,
        transfer: &Transfer<Self>,
    ) -> Result<Vec<Self>, String> {
        let most = f32::from(u16::MAX);
        let table: [u16; 256] =
            std::array::from_fn(|sample| (transfer.linear(sample as u8) * most).round() as u16);
        by_way_of::<u8, u16, U16, U16x3, U16x4>(
            picture,
            crop,
            size,
            (|v| table[usize::from(v)], |v| transfer.encoded(f32::from(v) / most)),
            (u16::widened, u16::narrowed),
        )
    }
}

impl Scalable for u16 {
    type Grey = U16;
    type Rgb = U16x3;
    type Rgba = U16x4;

    fn in_light(
        picture: &Picture<Self>,
        crop: CropBox,
        size: Size,
        transfer: &Transfer<Self>,
    ) -> Result<Vec<Self>, String> {
        let most = f32::from(Self::MAX);
        by_way_of::<u16, f32, F32, F32x3, F32x4>(
            picture,
            crop,
            size,
            (|v| transfer.linear(v), |v| transfer.encoded(v)),
            (|a| f32::from(a) / most, |a: f32| (a * most + 0.5).clamp(0.0, most) as Self),
        )
    }
}

/// The part `crop` of `picture`, in its pixels, at `size`.
///
/// The filter reads beyond the crop where the picture goes on, as Pillow's
/// `resize(box=…)` does. A crop on whole pixels that keeps its size is a copy.
pub(crate) fn scaled<S: Scalable>(
    picture: &Picture<S>,
    crop: CropBox,
    size: Size,
) -> Result<Picture<S>, Error> {
    if is_copy(crop, size) {
        return Ok(picture.cut(crop.left.round() as u32, crop.top.round() as u32, size));
    }
    let pixels = match picture.layout {
        Layout::Grey => typed::<S, S::Grey>(picture, crop, size),
        Layout::Rgb => typed::<S, S::Rgb>(picture, crop, size),
        Layout::Rgba => typed::<S, S::Rgba>(picture, crop, size),
    };
    let pixels = pixels.map_err(|detail| Error::Codec { format: "resize", detail })?;
    Ok(Picture::new(size, picture.layout, pixels))
}

/// The part `crop` of `picture` at `size`, like [`scaled`] but filtered in linear
/// light: sRGB is decoded before and encoded after, so that a fine pattern of
/// black and white comes out as bright as it looked from afar. Alpha, which is
/// linear, stays as it is, and colour is multiplied by it meanwhile.
///
/// 8 bits go by way of 16, which tell all dark samples apart; 16 by way of
/// floats, which need twice the picture's memory more.
pub(crate) fn scaled_in_light<S: Scalable>(
    picture: &Picture<S>,
    crop: CropBox,
    size: Size,
) -> Result<Picture<S>, Error> {
    if is_copy(crop, size) {
        return Ok(picture.cut(crop.left.round() as u32, crop.top.round() as u32, size));
    }
    // Only what the filter reads is decoded.
    let (left, width) = reach(crop.left, crop.width, size.width, picture.size.width);
    let (top, height) = reach(crop.top, crop.height, size.height, picture.size.height);
    let part = picture.cut(left, top, Size::new(width, height));
    let crop = CropBox { left: crop.left - f64::from(left), top: crop.top - f64::from(top), ..crop };
    let transfer = Transfer::<S>::new();
    let pixels = S::in_light(&part, crop, size, &transfer);
    let pixels = pixels.map_err(|detail| Error::Codec { format: "resize", detail })?;
    Ok(Picture::new(size, picture.layout, pixels))
}

/// First sample and number of samples of an axis that the filter reads for a
/// crop of it.
fn reach(start: f64, length: f64, to: u32, whole: u32) -> (u32, u32) {
    // Lanczos3 reaches three samples of the coarser side, and one is for rounding.
    let margin = 3.0 * (length / f64::from(to)).max(1.0) + 1.0;
    let first = (start - margin).floor().max(0.0) as u32;
    let end = ((start + length + margin).ceil() as u32).min(whole);
    (first.min(end.saturating_sub(1)), end - first.min(end.saturating_sub(1)))
}

/// Whether a crop lies on whole pixels and keeps its size.
fn is_copy(crop: CropBox, size: Size) -> bool {
    let whole = |v: f64| (v - v.round()).abs() < 1e-6;
    (crop.width - f64::from(size.width)).abs() < 1e-6
        && (crop.height - f64::from(size.height)).abs() < 1e-6
        && whole(crop.left)
        && whole(crop.top)
}

/// Decodes with `decode`, resizes in `T`, encodes with `encode`; alpha goes
/// through `alpha` and back through `sample`.
fn by_way_of<S: Scalable, T: bytemuck::Pod + Default, G: PixelTrait, C: PixelTrait, A: PixelTrait>(
    picture: &Picture<S>,
    crop: CropBox,
    size: Size,
    (decode, encode): (impl Fn(S) -> T, impl Fn(T) -> S),
    (alpha, sample): (impl Fn(S) -> T, impl Fn(T) -> S),
) -> Result<Vec<S>, String> {
    let channels = picture.layout.channels();
    let source: Vec<T> = if picture.layout == Layout::Rgba {
        let pixels = picture.pixels.as_chunks::<4>().0;
        pixels.iter().flat_map(|&[r, g, b, a]| [decode(r), decode(g), decode(b), alpha(a)]).collect()
    } else {
        picture.pixels.iter().map(|&sample| decode(sample)).collect()
    };
    let mut target = vec![T::default(); size.pixels() as usize * channels];
    match picture.layout {
        Layout::Grey => resized::<T, G>(&source, picture.size, &mut target, size, crop, false)?,
        Layout::Rgb => resized::<T, C>(&source, picture.size, &mut target, size, crop, false)?,
        Layout::Rgba => resized::<T, A>(&source, picture.size, &mut target, size, crop, true)?,
    }
    Ok(if picture.layout == Layout::Rgba {
        let pixels = target.as_chunks::<4>().0;
        pixels.iter().flat_map(|&[r, g, b, a]| [encode(r), encode(g), encode(b), sample(a)]).collect()
    } else {
        target.into_iter().map(encode).collect()
    })
}

fn resized<T: bytemuck::Pod, P: PixelTrait>(
    source: &[T],
    from: Size,
    target: &mut [T],
    to: Size,
    crop: CropBox,
    alpha: bool,
) -> Result<(), String> {
    let source = TypedImageRef::<P>::from_buffer(from.width, from.height, bytemuck::cast_slice(source))
        .map_err(|e| e.to_string())?;
    let mut target = TypedImage::<P>::from_buffer(to.width, to.height, bytemuck::cast_slice_mut(target))
        .map_err(|e| e.to_string())?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(crop.left, crop.top, crop.width, crop.height)
        .use_alpha(alpha);
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| e.to_string())
}

/// One pixel type at a time: the untyped interface compiles all thirteen.
fn typed<S: Scalable, P: PixelTrait>(
    picture: &Picture<S>,
    crop: CropBox,
    size: Size,
) -> Result<Vec<S>, String> {
    let mut pixels = vec![S::default(); size.pixels() as usize * picture.layout.channels()];
    let samples = bytemuck::cast_slice(&picture.pixels);
    let source = TypedImageRef::<P>::from_buffer(picture.size.width, picture.size.height, samples)
        .map_err(|e| e.to_string())?;
    let samples = bytemuck::cast_slice_mut(&mut pixels);
    let mut target =
        TypedImage::<P>::from_buffer(size.width, size.height, samples).map_err(|e| e.to_string())?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(crop.left, crop.top, crop.width, crop.height)
        .use_alpha(picture.layout == Layout::Rgba);
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| e.to_string())?;
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_colour_does_not_bleed_into_what_is_seen() {
        // A transparent red beside an opaque blue.
        let picture = Picture::new(
            Size::new(4, 1),
            Layout::Rgba,
            [[255_u8, 0, 0, 0], [255, 0, 0, 0], [0, 0, 255, 255], [0, 0, 255, 255]].concat(),
        );
        let half = scaled(&picture, CropBox::of(picture.size), Size::new(2, 1)).unwrap();
        for pixel in half.pixels.chunks_exact(4).filter(|p| p[3] > 8) {
            assert_eq!(pixel[0], 0, "{pixel:?}");
        }
    }

    #[test]
    fn a_chequerboard_keeps_half_of_its_light() {
        let pixels: Vec<u8> =
            (0..64 * 64).map(|i| if (i % 64 + i / 64) % 2 == 0 { 0 } else { 255 }).collect();
        let board = Picture::new(Size::new(64, 64), Layout::Grey, pixels);
        let whole = CropBox::of(board.size);
        let small = scaled_in_light(&board, whole, Size::new(8, 8)).unwrap();
        assert!(small.pixels.iter().all(|&v| v.abs_diff(188) <= 2), "{:?}", small.pixels);
        let small = scaled(&board, whole, Size::new(8, 8)).unwrap();
        assert!(small.pixels.iter().all(|&v| v.abs_diff(128) <= 2), "{:?}", small.pixels);
        let deep = board.pixels.iter().map(|&v| u16::widened(v)).collect();
        let small =
            scaled_in_light(&Picture::new(board.size, Layout::Grey, deep), whole, Size::new(8, 8)).unwrap();
        assert!(small.pixels.iter().all(|v| v.abs_diff(48_193) <= 400), "{:?}", small.pixels);
    }

    #[test]
    fn flat_colour_and_alpha_stay_in_linear_light() {
        for layout in [Layout::Grey, Layout::Rgb, Layout::Rgba] {
            let pixel = [3_u8, 90, 254, 77];
            let flat = pixel[..layout.channels()].repeat(50 * 20);
            let flat = Picture::new(Size::new(50, 20), layout, flat);
            let crop = CropBox { left: 11.5, top: 2.25, width: 33.0, height: 12.0 };
            let small = scaled_in_light(&flat, crop, Size::new(7, 3)).unwrap();
            assert_eq!(small.pixels, pixel[..layout.channels()].repeat(21));
            let deep = flat.pixels.iter().map(|&v| u16::widened(v)).collect();
            let small =
                scaled_in_light(&Picture::new(flat.size, layout, deep), crop, Size::new(90, 33)).unwrap();
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
        let whole = scaled_in_light(&picture, CropBox::of(picture.size), Size::new(30, 20)).unwrap();
        let crop = CropBox { left: 30.0, top: 15.0, width: 45.0, height: 30.0 };
        let part = scaled_in_light(&picture, crop, Size::new(15, 10)).unwrap();
        assert_eq!(part, whole.cut(10, 5, Size::new(15, 10)));
    }

    #[test]
    fn a_crop_of_the_same_size_is_a_copy() {
        let picture = Picture::new(Size::new(3, 1), Layout::Grey, vec![1_u8, 200, 3]);
        let crop = CropBox { left: 1.0, top: 0.0, width: 2.0, height: 1.0 };
        assert_eq!(scaled(&picture, crop, Size::new(2, 1)).unwrap().pixels, [200, 3]);
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
            let a = scaled(&narrow, CropBox::of(size), to).unwrap();
            let b = scaled(&wide, CropBox::of(size), to).unwrap().narrowed();
            let worst = a.pixels.iter().zip(&b.pixels).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(2), "{to:?}: {worst:?}");
        }
    }
}
