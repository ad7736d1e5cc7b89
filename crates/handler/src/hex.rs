//! Lower-case hexadecimal. Owns the one spelling of digests here; `imaging` and
//! `local` have their own, since neither depends on this crate.

use std::fmt::Write as _;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
