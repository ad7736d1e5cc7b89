//! How a drawing is refused.

use crate::Error;

pub(crate) fn malformed(detail: impl Into<String>) -> Error {
    Error::Malformed { format: "SVG", detail: detail.into() }
}

pub(crate) fn unsupported(feature: impl Into<String>) -> Error {
    Error::Unsupported { format: "SVG", feature: feature.into() }
}
