//! Any bytes as any document that S3's clients send: understood or refused with
//! a reason, in memory that its size bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minilab_local::s3::Document;

fuzz_target!(|input: &[u8]| {
    let Some((first, body)) = input.split_first() else { return };
    let kind = Document::ALL[usize::from(*first) % Document::ALL.len()];
    if let Err(why) = kind.understand(body) {
        assert!(!why.is_empty());
    }
});
