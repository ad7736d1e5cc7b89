//! The text of a drawing, unpacked within bounds.

use super::refusal::malformed;
use crate::error::{Limit, at_most};
use crate::{Error, Limits};
use flate2::read::GzDecoder;
use std::borrow::Cow;
use std::io::Read;

/// More text than this is no drawing for a print, in bytes.
const LONGEST: u64 = 32 << 20;

/// The text, out of gzip where it is in it.
pub(super) fn unpacked<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, str>, Error> {
    let most = LONGEST.min(limits.input_bytes);
    let not_text = |_| malformed("its text is not UTF-8");
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        at_most(Limit::InputBytes, "the drawing", bytes.len() as u64, most, "bytes")?;
        return std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(not_text);
    }
    let mut text = Vec::new();
    GzDecoder::new(bytes)
        .take(most + 1)
        .read_to_end(&mut text)
        .map_err(|e| malformed(format!("it is cut off or damaged: {e}")))?;
    at_most(
        Limit::InputBytes,
        "the drawing, unpacked as far as was allowed,",
        text.len() as u64,
        most,
        "bytes",
    )?;
    String::from_utf8(text).map(Cow::Owned).map_err(|e| not_text(e.utf8_error()))
}
