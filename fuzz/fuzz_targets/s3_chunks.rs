//! Any bytes as a chunked upload: whole or refused, however they are split, and never whole with bytes missing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minilab_local::s3::{Fault, Framing, Mode};

fn read(mode: Mode, length: u64, body: &[u8], step: usize) -> Result<(), Fault> {
    let mut framing = Framing::new(mode, length, "x-amz-checksum-crc32");
    for piece in body.chunks(step) {
        framing.feed(piece)?;
    }
    framing.end()
}

fuzz_target!(|input: &[u8]| {
    let [mode, length, step, body @ ..] = input else { return };
    let mode = Mode::ALL[usize::from(*mode) % Mode::ALL.len()];
    let length = u64::from(*length);
    let outcome = read(mode, length, body, usize::from(*step) + 1);
    assert_eq!(outcome, read(mode, length, body, 1));
    if outcome.is_ok() {
        assert!(body.len() as u64 > length);
        for cut in 0..body.len() {
            assert!(read(mode, length, &body[..cut], 64).is_err());
        }
    }
});
