//! Any bytes as an event: an answer or an error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minilab_handler::event::Delivery;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(payload) = serde_json::from_slice(bytes) {
        let _ = Delivery::parse(&payload);
    }
});
