//! The real renderer on a real photo, over the store in memory.

use crate::support::{FakeClock, NO_DEADLINE};
use bytes::Bytes;
use futures_executor::block_on;
use minilab_handler::{Handler, MemoryStore, Options, State, ThreadRenderer};
use minilab_imaging::Recipe;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const RECIPE: &str = r#"
[source]
bucket = "film"
[processed]
bucket = "paper"
[[output]]
key = "small/{stem}_{width}x{height}.{ext}"
resize = { width = 64 }
format = "webp"
[[output]]
key = "mosaic-{name}"
pixelate = { cells = 8 }
"#;

const KEY: &str = "dogs at the window.jpg";

fn photo() -> Vec<u8> {
    let path = format!("{}/../../examples/photos/{KEY}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("the sample photo is there")
}

fn reconcile(memory: &Arc<MemoryStore>) -> State {
    let recipe = Arc::new(Recipe::parse(RECIPE).expect("the test's recipe is valid"));
    let limits = recipe.limits;
    let clock = Arc::new(FakeClock::default());
    let handler = Handler::new(
        recipe,
        limits,
        memory.clone(),
        ThreadRenderer::new(|| Duration::ZERO),
        clock,
        Options::default(),
    );
    block_on(handler.reconcile(KEY, NO_DEADLINE)).expect("nothing is in the way").state
}

fn prints(memory: &MemoryStore) -> BTreeMap<String, Bytes> {
    let keys = memory.keys("paper").into_iter();
    keys.map(|key| (key.clone(), memory.object("paper", &key).expect("listed").bytes)).collect()
}

#[test]
fn a_photo_is_printed_alike_every_time_and_its_prints_go_when_it_breaks() {
    let memory = Arc::new(MemoryStore::new(["film", "paper"]));
    memory.upload("film", KEY, photo());
    assert_eq!(reconcile(&memory), State::Printed);
    let first = prints(&memory);
    let keys: Vec<&str> = first.keys().map(String::as_str).collect();
    assert!(
        keys.len() == 2
            && keys[0] == "mosaic-dogs at the window.jpg"
            && keys[1].starts_with("small/dogs at the window_64x"),
        "{keys:?}"
    );
    assert!(first[keys[0]].starts_with(b"\xFF\xD8\xFF"), "a JPEG, as its source");
    assert!(first[keys[1]].starts_with(b"RIFF") && first[keys[1]][8..].starts_with(b"WEBP"), "a WebP");
    assert_eq!(reconcile(&memory), State::Printed);
    assert_eq!(prints(&memory), first, "the same bytes again");

    let mut truncated = photo();
    truncated.truncate(2_000);
    memory.upload("film", KEY, truncated);
    assert!(matches!(reconcile(&memory), State::Rejected { .. }));
    assert_eq!(memory.keys("paper"), ["failures/dogs at the window.jpg.json"]);
}
