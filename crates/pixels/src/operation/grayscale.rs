//! Grey by luminance.

use crate::picture::{Layout, Picture, Sample};
use crate::srgb::Transfer;

/// The picture in grey: [`Layout::Grey`], or [`Layout::Rgba`] with the alpha
/// that it had.
///
/// A grey is as bright as its colour was: luminance is Rec. 709's sum of linear
/// light (ITU-R BT.709-6, item 3.2), encoded again with sRGB's curve. That is
/// what libvips' `b-w` and so sharp's `grayscale()` give; Pillow's `convert("L")`
/// sums up encoded samples with Rec. 601's weights instead, which makes pure
/// blue and red darker.
pub fn grey<S: Sample>(picture: Picture<S>) -> Picture<S> {
    if picture.layout == Layout::Grey {
        return picture;
    }
    let transfer = Transfer::<S>::new();
    let luminance = |r: S, g: S, b: S| {
        if r == g && g == b {
            return r;
        }
        let light = 0.2126 * transfer.linear(r) + 0.7152 * transfer.linear(g) + 0.0722 * transfer.linear(b);
        transfer.encoded(light)
    };
    if picture.layout == Layout::Rgba {
        let mut picture = picture;
        for pixel in picture.pixels.as_chunks_mut::<4>().0 {
            let [r, g, b, a] = *pixel;
            let grey = luminance(r, g, b);
            *pixel = [grey, grey, grey, a];
        }
        return picture;
    }
    let pixels = picture.pixels.as_chunks::<3>().0.iter().map(|&[r, g, b]| luminance(r, g, b)).collect();
    Picture::new(picture.size, Layout::Grey, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;

    /// What sharp 0.35.5 with libvips 8.18.7 gives for `grayscale()`.
    const SHARPS: [([u8; 3], u8); 6] = [
        ([255, 0, 0], 127),
        ([0, 255, 0], 220),
        ([0, 0, 255], 76),
        ([128, 128, 128], 128),
        ([200, 100, 50], 128),
        ([10, 20, 30], 19),
    ];

    #[test]
    fn greys_are_sharps() {
        for (colour, wanted) in SHARPS {
            let got = grey(Picture::new(Size::new(1, 1), Layout::Rgb, colour.to_vec()));
            assert_eq!((got.layout, got.pixels), (Layout::Grey, vec![wanted]), "{colour:?}");
        }
    }

    #[test]
    fn alpha_and_depth_are_kept() {
        let picture = Picture::new(Size::new(1, 1), Layout::Rgba, vec![65_535_u16, 0, 0, 77]);
        let got = grey(picture);
        assert_eq!(got.layout, Layout::Rgba);
        let light = 0.2126_f64.powf(1.0 / 2.4) * 1.055 - 0.055;
        assert!((f64::from(got.pixels[0]) - light * 65_535.0).abs() < 2.0, "{:?}", got.pixels);
        assert_eq!(got.pixels[3], 77);
    }
}
