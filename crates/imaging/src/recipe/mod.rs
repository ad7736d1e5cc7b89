//! The recipe: which prints are made of a picture, where they go, and what a
//! picture may cost. This module owns the resolved recipe; `parse` turns TOML
//! into one and reports every problem at once, `key` expands key templates,
//! `proof` shows that no print can trigger the function again.

mod digest;
mod key;
mod parse;
mod proof;
mod reader;
pub mod reference;

use serde::Serialize;
use std::num::NonZeroU32;

pub use key::{Footprint, KeyError, KeyTemplate, LONGEST_KEY, PrintName, REPORT_PREFIX, Rest, report_key};
pub use parse::{Problem, Problems};
pub use proof::{LoopProof, Proven};

use crate::Limits;

/// The recipe that is used when no file is given.
pub const BUILT_IN: &str = include_str!("built_in.toml");

/// A resolved, valid recipe: no field is optional that a print depends on, and
/// no output can trigger the function ([`Recipe::loop_proof`]).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipe {
    /// Where pictures come from.
    pub source: Source,
    /// Where prints go.
    pub processed: Processed,
    /// What one picture may cost.
    pub limits: Limits,
    /// The prints, in the file's order. Never empty.
    pub outputs: Vec<Output>,
}

/// The trigger: a bucket and a key prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Bucket name.
    pub bucket: String,
    /// Only keys with this prefix are sources; empty for all.
    pub prefix: String,
}

/// The bucket of the prints and of the failure reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Processed {
    /// Bucket name.
    pub bucket: String,
}

/// One print of every picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    /// Gives the print's object key.
    pub key: KeyTemplate,
    /// Resizing, done before pixelating.
    pub resize: Option<Resize>,
    /// Pixelating.
    pub pixelate: Option<Pixelate>,
    /// The file format of the print.
    pub format: FormatChoice,
    /// Encoder quality, 1–100, libjpeg's scale for JPEG and libwebp's for WebP;
    /// without effect on PNG and GIF.
    pub quality: u8,
    /// What is kept of the source's metadata.
    pub metadata: Metadata,
    /// Shows through where a picture with alpha becomes a print without, and
    /// fills the bars of `fit = "contain"`.
    pub background: Background,
    /// The `Cache-Control` header of the stored print.
    pub cache_control: String,
}

/// The format of a print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatChoice {
    /// The source's own format.
    Source,
    /// Always this one.
    Fixed(Format),
}

/// A file format that is both read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (ISO/IEC 15948).
    Png,
    /// WebP, written lossy (RFC 9649).
    Webp,
    /// GIF, version 89a.
    Gif,
}

impl Format {
    /// Every format, in the order in which they are listed for people.
    pub const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Webp, Self::Gif];

    /// Lower-case name, as in a recipe.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
        }
    }

    /// The name as people write it, for messages.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Webp => "WebP",
            Self::Gif => "GIF",
        }
    }

    /// The file name extension, without a dot: `{ext}` in a key.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
        }
    }

    /// The IANA media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
        }
    }
}

/// A box to fit a picture to. At least one side is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resize {
    /// Width of the box in pixels; by aspect ratio where absent.
    pub width: Option<NonZeroU32>,
    /// Height of the box in pixels; by aspect ratio where absent.
    pub height: Option<NonZeroU32>,
    /// How the picture meets the box.
    pub fit: Fit,
    /// Which part stays (`cover`) or where the picture lies (`contain`).
    pub position: Position,
    /// Whether a picture smaller than the box is enlarged.
    pub enlarge: bool,
}

/// CSS's and sharp's names for fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Fill the box, cropping what sticks out.
    Cover,
    /// The whole picture in a box of exactly this size, with bars.
    Contain,
    /// Stretch to the box.
    Fill,
    /// As large as fits inside the box.
    Inside,
    /// As small as covers the box, without cropping.
    Outside,
}

/// Nine positions, as a place on each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Horizontal place.
    pub x: Place,
    /// Vertical place.
    pub y: Place,
}

/// A place on one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// Left or top.
    Start,
    /// Middle.
    Center,
    /// Right or bottom.
    End,
}

/// How coarse a pixelation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pixelate {
    /// Cells per side: the picture becomes an N × N mosaic of its own size
    /// (triangle filter with area support down to N × N, nearest neighbour
    /// back up, as Pillow's `resize((N, N), BILINEAR).resize(size, NEAREST)`).
    /// A picture with fewer pixels than N on a side has that many cells.
    Cells(NonZeroU32),
    /// Cells of B × B pixels from the top left corner, the last ones cut off
    /// at the edge; each is the mean of its pixels.
    Block(NonZeroU32),
}

/// What is kept of the source's metadata. Orientation is always applied and
/// colour always converted to sRGB, whatever is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Metadata {
    /// Nothing.
    None,
    /// EXIF Artist and Copyright.
    Copyright,
    /// All of EXIF (orientation reset) and XMP. Includes the place where a
    /// photo was taken.
    All,
}

/// An sRGB colour with alpha; alpha matters only where the print has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Background {
    /// Red, green, blue, alpha, 0–255, not premultiplied.
    pub rgba: [u8; 4],
}

impl Recipe {
    /// The built-in recipe: five classic pixelations and a responsive WebP set.
    ///
    /// # Panics
    /// Never: a test parses it.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("the built-in recipe is valid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_recipe_is_the_classic_five_and_a_responsive_set() {
        let recipe = Recipe::built_in();
        let keys: Vec<&str> = recipe.outputs.iter().map(|o| o.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "pixelated-8x8-{key}",
                "pixelated-16x16-{key}",
                "pixelated-32x32-{key}",
                "pixelated-48x48-{key}",
                "pixelated-64x64-{key}",
                "responsive/320/{key}.webp",
                "responsive/640/{key}.webp",
                "responsive/1280/{key}.webp",
                "responsive/1920/{key}.webp",
            ]
        );
        assert_eq!(recipe.outputs[0].format, FormatChoice::Source);
        assert_eq!(recipe.outputs[5].format, FormatChoice::Fixed(Format::Webp));
    }
}
