//! What can be wrong with a picture, by who must act: the person who uploaded
//! it, or the person who set a limit.

use thiserror::Error;

/// The limit that a picture was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`crate::Limits::input_bytes`]
    InputBytes,
    /// [`crate::Limits::pixels`]
    Pixels,
    /// [`crate::Limits::side`]
    Side,
    /// [`crate::Limits::frames`]
    Frames,
    /// [`crate::Limits::memory`]
    Memory,
    /// [`crate::Limits::output_bytes`]
    OutputBytes,
    /// [`crate::Limits::seconds`]
    Seconds,
    /// What the print's own format can hold: no field of a recipe raises it.
    Format,
}

impl Limit {
    /// What to do about it; names the field of `[limits]` that sets it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::InputBytes => "make the picture smaller or raise limits.input_mb",
            Self::Pixels => "make the picture smaller or raise limits.megapixels",
            Self::Side => "make the picture smaller or raise limits.side",
            Self::Frames => "keep fewer frames or raise limits.frames",
            Self::Memory => "make the picture smaller or raise limits.memory_mb",
            Self::OutputBytes => "make the print smaller or raise limits.output_mb",
            Self::Seconds => "make the picture smaller or raise limits.seconds",
            Self::Format => "make the print smaller or take another format for it",
        }
    }
}

/// Why a picture is not read, or not written. All reasons are final for the same
/// bytes and arguments: trying again gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The bytes are no picture in a format that is known.
    #[error(
        "not an image: {found}; upload a picture, such as a JPEG, PNG, WebP, AVIF, HEIC, TIFF, GIF or SVG"
    )]
    NotAnImage {
        /// What the bytes look like instead, in words ("an empty object", "text", …).
        found: String,
    },
    /// A picture of a known format, of a kind that is not read.
    #[error("unsupported {format} picture: {feature}; convert it and upload it again")]
    Unsupported {
        /// The format's name.
        format: &'static str,
        /// The feature that is not supported.
        feature: String,
    },
    /// The bytes break their own format, or end too soon.
    #[error("malformed {format} picture: {detail}; export it again from its source")]
    Malformed {
        /// The format's name.
        format: &'static str,
        /// What the decoder said.
        detail: String,
    },
    /// The picture is over one of the [`crate::Limits`].
    #[error("over the limit: {what} is {value}, the limit is {limit}; {}", .which.remedy())]
    OverLimit {
        /// Which limit.
        which: Limit,
        /// What was measured, in words with its unit ("the size", "4294836225 pixels").
        what: &'static str,
        /// The value found, with its unit.
        value: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The caller's own code refused, in one of the functions that it passed.
    #[error("{detail}")]
    Caller {
        /// A stable code for metrics and reports.
        code: &'static str,
        /// The reason, in words.
        detail: String,
    },
    /// An encoder refused, or a codec panicked: a fault of ours, final all the same.
    #[error("the {format} codec failed: {detail}; please report this picture as a bug of minilab")]
    Codec {
        /// The codec's format.
        format: &'static str,
        /// What it said.
        detail: String,
    },
}

impl Error {
    /// A stable code for metrics and reports.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAnImage { .. } => "not-an-image",
            Self::Unsupported { .. } => "unsupported",
            Self::Malformed { .. } => "malformed",
            Self::OverLimit { .. } => "over-limit",
            Self::Caller { code, .. } => code,
            Self::Codec { .. } => "codec-failed",
        }
    }
}

/// Refuses a value over its limit, naming both.
pub fn at_most(which: Limit, what: &'static str, value: u64, limit: u64, unit: &str) -> Result<(), Error> {
    if value <= limit {
        return Ok(());
    }
    Err(Error::OverLimit { which, what, value: format!("{value} {unit}"), limit: format!("{limit} {unit}") })
}
