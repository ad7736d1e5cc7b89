//! Any bytes through `inspect` and `render`: they are answered, without a panic
//! and within the limits. `make fuzz` seeds it with each area of tests/golden in
//! turn, so that every decoder is reached. Only one small print is in the
//! source's own format: encoders of AVIF and JPEG XL would take all the time.
//!
//! A panic of a codec's own is answered by `render` as a fault, so it is told
//! once and the run goes on. A panic of our code ends it, as an abort, a hang or
//! too much memory do.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minilab_imaging::{Error, Limits, Recipe, inspect, render};
use std::collections::BTreeSet;
use std::panic::PanicHookInfo;
use std::sync::{LazyLock, Mutex, PoisonError};

const LIMITS: Limits = Limits {
    input_bytes: 1 << 20,
    pixels: 1_000_000,
    side: 4_000,
    frames: 20,
    memory: 128 << 20,
    output_bytes: 16 << 20,
    seconds: 10,
    threads: 1,
};

static RECIPE: LazyLock<Recipe> = LazyLock::new(|| {
    Recipe::parse(
        r##"
        [source]
        bucket = "fuzz-source"
        [processed]
        bucket = "fuzz-processed"
        [defaults]
        metadata = "all"
        effort = 0
        [[output]]
        key = "0-{key}"
        resize = { width = 24, height = 20, fit = "contain" }
        background = "#10203040"
        [[output]]
        key = "1-{key}.jpg"
        resize = { width = 33, height = 33, fit = "cover", enlarge = true }
        format = "jpeg"
        [[output]]
        key = "2-{key}.jpg"
        pixelate = { cells = 7 }
        format = "jpeg"
        [[output]]
        key = "3-{key}.webp"
        pixelate = { block = 5 }
        format = "webp"
        [[output]]
        key = "4-{key}.png"
        resize = { width = 60 }
        format = "png"
        colour = "keep"
        [[output]]
        key = "5-{key}.png"
        trim = true
        resize = { width = 20, height = 20, fit = "cover", position = "attention" }
        rotate = 90
        rounded = "50%"
        format = "png"
        [[output]]
        key = "6-{key}.jpg"
        crop = { left = "10%", top = 1, width = "50%" }
        resize = { width = 30, linear = true }
        blur = 2
        sharpen = true
        grayscale = true
        format = "jpeg"
        [[output]]
        key = "7-{key}.json"
        format = "manifest"
        "##,
    )
    .expect("the recipe is valid")
});

/// Where codecs have panicked so far.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What `render` calls the code in which it catches a panic.
const WALLS: [&str; 3] = ["header", "picture", "print"];

/// libFuzzer's own hook aborts on any panic, caught or not.
fn tell(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    if place.is_empty() || place.contains("crates/pixels/")
        || place.contains("crates/imaging/")
        || place.contains("fuzz_targets") {
        eprintln!("{panic}");
        std::process::abort();
    }
    if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(place) {
        eprintln!("a codec panicked, and was caught: {panic}");
    }
}

fuzz_target!(init: std::panic::set_hook(Box::new(tell)), |bytes: &[u8]| {
    let header = inspect(bytes, &LIMITS);
    let rendered = render(bytes, "fuzz/input", &RECIPE, &LIMITS, &|_| ());
    match (header, rendered) {
        (_, Err(Error::Codec { format, .. })) if WALLS.contains(&format) => {}
        (_, Err(Error::Codec { format, detail })) => panic!("{format}: {detail}"),
        (Err(header), Ok(_)) => panic!("rendered although {header}"),
        (Ok(header), Ok(summary)) => assert_eq!(header, summary.header),
        (_, Err(_)) => {}
    }
});
