//! Everything that stands for a picture until it is loaded.

use super::{blurhash, dominant, thumbhash};
use crate::Error;
use crate::picture::Picture;
use serde::Serialize;

/// The longest side of a picture that [`Placeholder::of`] takes.
pub const SIDE: u32 = 100;

/// What a front end needs to show something before the picture is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placeholder {
    /// ThumbHash, base64: a blurred picture with its aspect ratio and alpha.
    pub(crate) thumbhash: String,
    /// BlurHash: a blurred picture, on white.
    pub(crate) blurhash: String,
    /// The colour that stands out, `#rrggbb`.
    pub(crate) dominant: String,
    /// The mean colour, `#rrggbb`.
    pub(crate) average: String,
}

impl Placeholder {
    /// Of a picture in sRGB with no side over [`SIDE`]: more pixels cost much
    /// and show nothing more.
    pub fn of(picture: &Picture) -> Result<Self, Error> {
        let side = picture.size.width.max(picture.size.height);
        if side > SIDE {
            let detail = format!("a side of {side} pixels, at most {SIDE}");
            return Err(Error::Codec { format: "placeholder", detail });
        }
        let hex = |[r, g, b]: [u8; 3]| format!("#{r:02x}{g:02x}{b:02x}");
        Ok(Self {
            thumbhash: thumbhash::thumbhash(picture),
            blurhash: blurhash::blurhash(picture),
            dominant: hex(dominant::dominant(picture)),
            average: hex(dominant::average(picture)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::picture::Layout;

    /// The picture of the tests: red grows across, green down, blue steps.
    fn scene(width: u32, height: u32, layout: Layout) -> Picture {
        let pixels = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| {
                let (r, g) = ((x * 255 / (width - 1)) as u8, (y * 255 / (height - 1)) as u8);
                let b = if x * 2 < width { 40 } else { 200 };
                let a = if y * 3 < height { 0 } else { 255 };
                [r, g, b, a].into_iter().take(layout.channels())
            })
            .collect();
        Picture::new(Size::new(width, height), layout, pixels)
    }

    /// As the formats' own encoders say: npm's thumbhash 0.1.1, and the C of `PyPI`'s
    /// blurhash-python 1.2.2. (npm's blurhash 2.0.5 differs where the strongest
    /// wave is negative: it forgets the sign.)
    #[test]
    fn the_hashes_are_the_reference_implementations() {
        for (picture, thumb, blur) in [
            (scene(60, 40, Layout::Rgb), "H/gRPZqAiId0iIh4iHiIeI6ACPh4", "L$HVC$2O$3Skl}ayjtf8gcfjfQfj"),
            (scene(30, 80, Layout::Rgba), "4qiNIhJKgLaneXePRA24O3h4cHiEiJg=", "T+Ma;6BesS}_$TWq.jxHWqn,fQfQ"),
        ] {
            let placeholder = Placeholder::of(&picture).unwrap();
            assert_eq!((placeholder.thumbhash.as_str(), placeholder.blurhash.as_str()), (thumb, blur));
        }
    }

    #[test]
    fn it_is_written_as_the_front_end_reads_it() {
        let grey = Picture::new(Size::new(2, 1), Layout::Grey, vec![16, 16]);
        let json = serde_json::to_value(Placeholder::of(&grey).unwrap()).unwrap();
        assert_eq!((&json["dominant"], &json["average"]), (&"#101010".into(), &"#101010".into()));
        assert!(json["thumbhash"].is_string() && json["blurhash"].is_string());
    }

    #[test]
    fn every_size_up_to_the_limit_has_one() {
        for (width, height) in [(1, 1), (1, 100), (100, 1), (100, 100), (3, 2)] {
            let pixels = vec![77; (width * height * 4) as usize];
            Placeholder::of(&Picture::new(Size::new(width, height), Layout::Rgba, pixels)).unwrap();
        }
        let large = Picture::new(Size::new(101, 1), Layout::Grey, vec![0; 101]);
        assert!(Placeholder::of(&large).is_err());
    }
}
