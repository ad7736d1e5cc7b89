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
}

impl Limit {
    /// The name of the field of `[limits]` in a recipe that sets it, with its
    /// unit.
    pub const fn field(self) -> &'static str {
        match self {
            Self::InputBytes => "limits.input_mb",
            Self::Pixels => "limits.megapixels",
            Self::Side => "limits.side",
            Self::Frames => "limits.frames",
            Self::Memory => "limits.memory_mb",
        }
    }
}

/// Why a picture has no prints. All of them are final for these bytes and this
/// recipe: trying again gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// The bytes are no picture in a format that is known.
    #[error("not an image: {found}; upload a JPEG, PNG, WebP or GIF")]
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
    #[error("over the limit: {what} is {value}, the limit is {limit}; make the picture smaller or raise {}", .which.field())]
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
    /// The key of a print cannot be an object key.
    #[error("output {output} cannot be stored: {detail}")]
    Key {
        /// The output's key template.
        output: String,
        /// What is wrong with the key that it gives.
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
            Self::Key { .. } => "bad-key",
            Self::Codec { .. } => "codec-failed",
        }
    }
}
