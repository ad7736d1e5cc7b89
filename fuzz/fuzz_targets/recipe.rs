//! Any text as a recipe. One that parses keeps its promises: it cannot loop,
//! and each print that it names is in its footprint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use minilab_imaging::Recipe;
use minilab_imaging::recipe::{Footprint, Format, PrintName, report_key};

fuzz_target!(|input: (&str, &str)| {
    let (text, tail) = input;
    let Ok(recipe) = Recipe::parse(text) else { return };
    assert!(recipe.loop_proof().is_some());
    let source_key = format!("{}{tail}", recipe.source.prefix);
    assert!(report_key(&source_key).len() <= 1024);
    for output in &recipe.outputs {
        for format in Format::ALL {
            let print = PrintName { source_key: &source_key, format, width: 1, height: 9_999 };
            let Ok(key) = output.key.expand(&print) else { continue };
            assert!(!recipe.is_source(&recipe.processed.bucket, &key), "{key} would trigger");
            if output.format == minilab_imaging::recipe::FormatChoice::Fixed(format) {
                assert!(output.footprint(&source_key).covers(&key), "{key} is not covered");
            }
            if let Footprint::Exact(exact) = output.footprint(&source_key) {
                assert_eq!(exact, key);
            }
        }
    }
});
