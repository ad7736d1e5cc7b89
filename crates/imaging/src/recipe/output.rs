//! One print: everything that an output of a recipe can ask for, resolved.

use super::Format;
use super::key::KeyTemplate;
use minilab_pixels::encode::Encoding;
use minilab_pixels::geometry::Place;
use minilab_pixels::quality::Quality;
use serde::Serialize;
use std::num::NonZeroU32;

/// One print of every picture.
///
/// The operations are carried out in the order of the fields: trim, crop,
/// rotate, flip, resize, extend, pixelate, blur, sharpen, grayscale, rounded, watermark.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    /// Gives the print's object key.
    pub key: KeyTemplate,
    /// The rule that it belongs to, an index into [`super::Recipe::rules`];
    /// `None` for pictures that no rule takes.
    pub rule: Option<usize>,
    /// Cutting off a border of one colour; its threshold.
    pub trim: Option<Trim>,
    /// Cutting out a part.
    pub crop: Option<Region>,
    /// Quarter turns clockwise, 0–3.
    pub rotate: u8,
    /// Mirrored, after rotating.
    pub flip: Flip,
    /// Resizing.
    pub resize: Option<Resize>,
    /// Padding. Left out of the digest where absent: recipes without it keep theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extend: Option<Extend>,
    /// Pixelating.
    pub pixelate: Option<Pixelate>,
    /// The part of the print that is pixelated; all of it where absent.
    pub region: Option<Region>,
    /// Gaussian blur: its standard deviation in pixels, 0.3–1000.
    pub blur: Option<f64>,
    /// Sharpening.
    pub sharpen: Option<Sharpen>,
    /// Without colour.
    pub grayscale: bool,
    /// The radius of rounded corners; percent are of the shorter side, 50 % or
    /// more giving a pill or a circle.
    pub rounded: Option<Length>,
    /// A picture laid over the print.
    pub watermark: Option<Watermark>,
    /// The file format of the print.
    pub format: FormatChoice,
    /// How good the encoded picture is.
    pub quality: Quality,
    /// Time spent on smaller files, 0 (fastest) to 9 (smallest); by the format
    /// where absent.
    pub effort: Option<u8>,
    /// Exactly the pixels, in WebP and JPEG XL; PNG always has them.
    pub lossless: bool,
    /// Colours of a PNG's palette, 2–256; as many as there are where absent.
    pub colours: Option<u16>,
    /// Most frames of an animation that are kept; 1 for a still.
    pub frames: NonZeroU32,
    /// What is kept of the source's metadata.
    pub metadata: Metadata,
    /// The colour space of the print.
    pub colour: Colour,
    /// Shows through where a picture with alpha becomes a print without, and
    /// fills the bars of `fit = "contain"` and the padding of `extend`.
    pub background: Background,
    /// The `Cache-Control` header of the stored print.
    pub cache_control: String,
}

/// The format of a print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FormatChoice {
    /// The source's own format, as [`Format::kept`] has it.
    Source,
    /// Always this one.
    Fixed(Format),
    /// Of these, the one that gives the smallest file of the quality that is
    /// asked for. Never empty.
    Auto(Vec<Format>),
    /// No picture: a JSON document that lists the other prints.
    Manifest,
    /// No picture: a JSON document that stands in until a print is loaded.
    Placeholder,
}

impl FormatChoice {
    /// The formats that a print may come out in; `None` where that depends on
    /// the source.
    pub fn candidates(&self) -> Option<&[Format]> {
        match self {
            Self::Source => None,
            Self::Fixed(format) => Some(std::slice::from_ref(format)),
            Self::Auto(formats) => Some(formats),
            Self::Manifest | Self::Placeholder => Some(&[Format::Json]),
        }
    }

    /// Whether this is a document about the picture, not a picture.
    pub const fn is_document(&self) -> bool {
        matches!(self, Self::Manifest | Self::Placeholder)
    }
}

/// What an operation means for a print, as far as others decide by it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Effect {
    /// A part of the picture is left out.
    Cuts,
    /// Details of the picture can no longer be made out.
    Conceals,
    /// There is something around the picture.
    Surrounds,
    /// Colours are other than the picture's.
    Recolours,
    /// Pixels change after the print is scaled, framed and pixelated.
    Late,
}

/// One operation: whether an output asks for it, how `check` says so, and its effects.
type Operation = (fn(&Output) -> bool, fn(&Output) -> String, &'static [Effect]);

/// Every operation, in the order in which they are carried out.
const OPERATIONS: &[Operation] = &[
    (|output| output.trim.is_some(), |_| "trimmed".to_owned(), &[Effect::Cuts]),
    (|output| output.crop.is_some(), |_| "cropped".to_owned(), &[Effect::Cuts]),
    (|output| output.rotate != 0, |output| format!("turned by {}°", u32::from(output.rotate) * 90), &[]),
    (|output| output.flip.x || output.flip.y, |_| "mirrored".to_owned(), &[]),
    (
        |output| output.resize.is_some(),
        |output| output.resize.as_ref().map_or_else(String::new, Resize::words),
        &[],
    ),
    (|output| output.extend.is_some(), |_| "padded".to_owned(), &[Effect::Surrounds]),
    (
        |output| output.pixelate.is_some(),
        |output| match output.pixelate {
            Some(Pixelate::Cells(cells)) => format!("{cells} × {cells} cells"),
            Some(Pixelate::Block(block)) => format!("cells of {block} × {block} pixels"),
            None => String::new(),
        },
        &[Effect::Conceals],
    ),
    (|output| output.region.is_some(), |_| "in a part of it".to_owned(), &[Effect::Late]),
    (
        |output| output.blur.is_some(),
        |output| format!("blurred by {}", output.blur.unwrap_or_default()),
        &[Effect::Conceals, Effect::Late],
    ),
    (|output| output.sharpen.is_some(), |_| "sharpened".to_owned(), &[Effect::Late]),
    (|output| output.grayscale, |_| "grey".to_owned(), &[Effect::Recolours, Effect::Late]),
    (
        |output| output.rounded.is_some(),
        |output| match output.rounded {
            Some(Length::Pixels(radius)) => format!("rounded by {radius} pixels"),
            Some(Length::Percent(radius)) => format!("rounded by {radius} %"),
            None => String::new(),
        },
        &[Effect::Late],
    ),
    (|output| output.watermark.is_some(), |_| "watermarked".to_owned(), &[Effect::Late]),
];

impl Output {
    /// Whether an operation that it asks for has `effect`.
    pub(crate) fn has(&self, effect: Effect) -> bool {
        OPERATIONS.iter().any(|(asked, _, effects)| effects.contains(&effect) && asked(self))
    }

    /// Whether its prints show the whole picture as it is, but for its size.
    pub fn is_faithful(&self) -> bool {
        ![Effect::Cuts, Effect::Conceals, Effect::Surrounds, Effect::Recolours]
            .into_iter()
            .any(|effect| self.has(effect))
            && !self.format.is_document()
    }

    /// Whether its prints have the sizes of those of `other`, as far as the
    /// recipe tells.
    pub(super) fn is_sized_as(&self, other: &Self) -> bool {
        self.resize == other.resize && self.extend == other.extend
    }

    /// Its operations in words, such as `inside 1280 × any` or `8 × 8 cells`, in
    /// the order in which they are carried out.
    pub fn operations(&self) -> Vec<String> {
        OPERATIONS.iter().filter(|(asked, ..)| asked(self)).map(|(_, words, _)| words(self)).collect()
    }

    /// How its prints are encoded, besides their format.
    pub(crate) fn encoding(&self) -> Encoding {
        Encoding {
            quality: self.quality,
            effort: self.effort,
            lossless: self.lossless,
            colours: self.colours,
            background: self.background.rgba,
        }
    }
}

/// Mirroring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Flip {
    /// Left to right.
    pub x: bool,
    /// Top to bottom.
    pub y: bool,
}

/// Cutting off a border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trim {
    /// How far a sample may differ from the top left pixel's, 0–255.
    pub threshold: u8,
}

/// A length along one side of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// Pixels.
    Pixels(u32),
    /// Percent of the side.
    Percent(f64),
}

impl Length {
    /// In pixels, of a side of `side` pixels, rounded to the nearest.
    pub fn of(self, side: u32) -> u32 {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Percent(percent) => (f64::from(side) * percent / 100.0).round() as u32,
        }
    }
}

/// A rectangle within a picture; what sticks out is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Region {
    /// From the left edge.
    pub left: Length,
    /// From the top edge.
    pub top: Length,
    /// Its width; to the right edge where absent.
    pub width: Option<Length>,
    /// Its height; to the bottom edge where absent.
    pub height: Option<Length>,
}

/// Unsharp mask.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sharpen {
    /// Standard deviation of the blur that is subtracted, in pixels, 0.3–10.
    pub sigma: f64,
    /// How much of the difference is added, 0–10.
    pub amount: f64,
    /// Differences smaller than this, of 255, are left alone.
    pub threshold: u8,
}

/// A picture laid over every print.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Watermark {
    /// Where it comes from.
    pub image: Asset,
    /// Where it lies.
    pub position: Position,
    /// From the edges, in pixels of the print.
    pub margin: u32,
    /// 0 (invisible) to 1.
    pub opacity: f64,
    /// Its width as a part of the print's, 0–1; its own size where absent,
    /// and never larger than the print.
    pub scale: Option<f64>,
    /// Repeated over the whole print.
    pub tile: bool,
}

/// Where a picture that the recipe needs is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Asset {
    /// A file, relative to the recipe's folder.
    File(String),
    /// A key of the processed bucket.
    Object(String),
}

/// The colour space of a print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// Converted to sRGB.
    Srgb,
    /// As the source has it, with the source's profile, where the print's
    /// format holds profiles; CMYK is converted all the same.
    Keep,
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
    /// Whether light is averaged, not its sRGB code: slower, and thin bright
    /// lines on dark ground keep their brightness.
    pub linear: bool,
}

/// Padding around a print; percent are of the print's own width (left, right)
/// or height (top, bottom) before it is padded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Extend {
    /// Above the print.
    pub top: Length,
    /// At its right.
    pub right: Length,
    /// Below it.
    pub bottom: Length,
    /// At its left.
    pub left: Length,
}

impl Resize {
    /// In words, such as `inside 1280 × any`.
    fn words(&self) -> String {
        let side = |side: Option<NonZeroU32>| side.map_or_else(|| "any".to_owned(), |side| side.to_string());
        let fit = match self.fit {
            Fit::Cover => "cover",
            Fit::Contain => "contain",
            Fit::Fill => "fill",
            Fit::Inside => "inside",
            Fit::Outside => "outside",
        };
        let mut words = format!("{fit} {} × {}", side(self.width), side(self.height));
        match self.position {
            Position::Attention => words.push_str(", where the eye goes"),
            position if position != Position::CENTER => words.push_str(", off centre"),
            Position::At { .. } => {}
        }
        if self.enlarge {
            words.push_str(", enlarging");
        }
        words
    }
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

/// Where something lies, or which part stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// One of nine places.
    At {
        /// Horizontal place.
        x: Place,
        /// Vertical place.
        y: Place,
    },
    /// Where the eye goes first.
    Attention,
}

impl Position {
    /// The middle.
    pub const CENTER: Self = Self::At { x: Place::Center, y: Place::Center };
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
