//! The file formats: what each is called, and what it can hold.

use serde::Serialize;

/// The formats whose cargo features this build is without.
const LEFT_OUT: &[Format] = &[
    #[cfg(not(feature = "avif"))]
    Format::Avif,
    #[cfg(not(feature = "heic"))]
    Format::Heic,
    #[cfg(not(feature = "jxl"))]
    Format::Jxl,
    #[cfg(not(feature = "svg"))]
    Format::Svg,
];

/// A file format. Which are read and which are written: [`Format::is_read`],
/// [`Format::is_written`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (ISO/IEC 15948), APNG included.
    Png,
    /// WebP (RFC 9649).
    Webp,
    /// AVIF (AV1 Image File Format 1.1).
    Avif,
    /// GIF, version 89a.
    Gif,
    /// JPEG XL (ISO/IEC 18181).
    Jxl,
    /// HEIC (ISO/IEC 23008-12 with HEVC).
    Heic,
    /// TIFF 6.0.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// Windows icon.
    Ico,
    /// Quite OK Image.
    Qoi,
    /// SVG, static.
    Svg,
    /// JSON: manifests and placeholders.
    Json,
}

impl Format {
    /// Every format, in the order in which they are listed for people.
    pub const ALL: [Self; 13] = [
        Self::Jpeg,
        Self::Png,
        Self::Webp,
        Self::Avif,
        Self::Gif,
        Self::Jxl,
        Self::Heic,
        Self::Tiff,
        Self::Bmp,
        Self::Ico,
        Self::Qoi,
        Self::Svg,
        Self::Json,
    ];

    /// What each is called: name, title, extension, media type (IANA's, or what
    /// browsers call it where IANA has none).
    const fn words(self) -> [&'static str; 4] {
        match self {
            Self::Jpeg => ["jpeg", "JPEG", "jpg", "image/jpeg"],
            Self::Png => ["png", "PNG", "png", "image/png"],
            Self::Webp => ["webp", "WebP", "webp", "image/webp"],
            Self::Avif => ["avif", "AVIF", "avif", "image/avif"],
            Self::Gif => ["gif", "GIF", "gif", "image/gif"],
            Self::Jxl => ["jxl", "JPEG XL", "jxl", "image/jxl"],
            Self::Heic => ["heic", "HEIC", "heic", "image/heic"],
            Self::Tiff => ["tiff", "TIFF", "tiff", "image/tiff"],
            Self::Bmp => ["bmp", "BMP", "bmp", "image/bmp"],
            Self::Ico => ["ico", "ICO", "ico", "image/vnd.microsoft.icon"],
            Self::Qoi => ["qoi", "QOI", "qoi", "image/qoi"],
            Self::Svg => ["svg", "SVG", "svg", "image/svg+xml"],
            Self::Json => ["json", "JSON", "json", "application/json"],
        }
    }

    /// Lower-case name, as in a recipe.
    pub const fn name(self) -> &'static str {
        self.words()[0]
    }

    /// The name as people write it, for messages.
    pub const fn title(self) -> &'static str {
        self.words()[1]
    }

    /// The file name extension, without a dot: `{ext}` in a key.
    pub const fn extension(self) -> &'static str {
        self.words()[2]
    }

    /// The media type: the `Content-Type` of a print.
    pub const fn content_type(self) -> &'static str {
        self.words()[3]
    }

    /// Whether pictures of this format are read.
    pub const fn is_read(self) -> bool {
        !matches!(self, Self::Json)
    }

    /// Whether pictures are printed in this format.
    pub const fn is_written(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::Webp | Self::Avif | Self::Gif | Self::Jxl)
    }

    /// Whether this build has the code for it, where there is any.
    pub fn in_build(self) -> bool {
        !LEFT_OUT.contains(&self)
    }

    /// What a print has whose recipe asks for the source's format: that one
    /// where it is written; JPEG for a phone's HEIC; PNG, which loses nothing,
    /// for the rest.
    #[must_use]
    pub const fn kept(self) -> Self {
        match self {
            _ if self.is_written() => self,
            Self::Heic => Self::Jpeg,
            _ => Self::Png,
        }
    }

    /// Whether a picture of this format can be transparent.
    pub const fn has_alpha(self) -> bool {
        !matches!(self, Self::Jpeg)
    }

    /// Whether a print of this format can have more than one frame.
    pub const fn has_frames(self) -> bool {
        matches!(self, Self::Png | Self::Webp | Self::Gif)
    }

    /// Whether a print of this format can have more than 8 bits a sample.
    pub const fn is_deep(self) -> bool {
        matches!(self, Self::Png | Self::Avif | Self::Jxl)
    }
}
