//! SHA-256 in hexadecimal digits.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Lower-case hexadecimal SHA-256 of `bytes`.
pub(super) fn hex(bytes: &[u8]) -> String {
    written(&Sha256::digest(bytes))
}

/// `digest` in lower-case hexadecimal.
pub(super) fn written(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
