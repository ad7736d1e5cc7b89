//! Scaling with Lanczos3, alpha premultiplied meanwhile.

use crate::Error;
use crate::picture::{Layout, Picture};
use crate::plan::geometry::Size;
use crate::planes::CropBox;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8, U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// The part `crop` of `picture`, in its pixels, at `size`.
///
/// The filter reads beyond the crop where the picture goes on, as Pillow's
/// `resize(box=…)` does. A crop on whole pixels that keeps its size is a copy.
pub(crate) fn scaled(picture: &Picture, crop: CropBox, size: Size) -> Result<Picture, Error> {
    let whole = |v: f64| (v - v.round()).abs() < 1e-6;
    if (crop.width - f64::from(size.width)).abs() < 1e-6
        && (crop.height - f64::from(size.height)).abs() < 1e-6
        && whole(crop.left)
        && whole(crop.top)
    {
        return Ok(picture.cut(crop.left.round() as u32, crop.top.round() as u32, size));
    }
    let pixels = match picture.layout {
        Layout::Grey => typed::<U8>(picture, crop, size),
        Layout::Rgb => typed::<U8x3>(picture, crop, size),
        Layout::Rgba => typed::<U8x4>(picture, crop, size),
    };
    let pixels = pixels.map_err(|detail| Error::Codec { format: "resize", detail })?;
    Ok(Picture::new(size, picture.layout, pixels))
}

/// One pixel type at a time: the untyped interface compiles all thirteen.
fn typed<P: PixelTrait>(picture: &Picture, crop: CropBox, size: Size) -> Result<Vec<u8>, String> {
    let mut pixels = vec![0_u8; size.pixels() as usize * picture.layout.channels()];
    let source = TypedImageRef::<P>::from_buffer(picture.size.width, picture.size.height, &picture.pixels)
        .map_err(|e| e.to_string())?;
    let mut target =
        TypedImage::<P>::from_buffer(size.width, size.height, &mut pixels).map_err(|e| e.to_string())?;
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
            [[255, 0, 0, 0], [255, 0, 0, 0], [0, 0, 255, 255], [0, 0, 255, 255]].concat(),
        );
        let half = scaled(&picture, CropBox::of(picture.size), Size::new(2, 1)).unwrap();
        for pixel in half.pixels.chunks_exact(4).filter(|p| p[3] > 8) {
            assert_eq!(pixel[0], 0, "{pixel:?}");
        }
    }

    #[test]
    fn a_crop_of_the_same_size_is_a_copy() {
        let picture = Picture::new(Size::new(3, 1), Layout::Grey, vec![1, 200, 3]);
        let crop = CropBox { left: 1.0, top: 0.0, width: 2.0, height: 1.0 };
        assert_eq!(scaled(&picture, crop, Size::new(2, 1)).unwrap().pixels, [200, 3]);
    }
}
