//! Bytes as hexadecimal digits.
//!
//! Owns: the one spelling that digests and signatures use. Refuses: reading
//! digits back.

use std::fmt::Write as _;

/// The bytes in lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
