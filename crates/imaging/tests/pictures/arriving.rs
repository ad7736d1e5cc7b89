//! Prints of pictures whose bytes are still coming.

use crate::corpus::head;
use minilab_imaging::{Arriving, Limits, Recipe, Rendition, render, render_arriving};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file that comes `at_once` bytes at a time and breaks off at `end`.
struct Slowly<'a> {
    bytes: &'a [u8],
    at_once: usize,
    end: usize,
    /// How often was asked.
    asked: AtomicUsize,
}

impl Arriving for Slowly<'_> {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, at: usize, most: usize, into: &mut Vec<u8>) -> usize {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let came = (self.end - at).min(most).min(self.at_once);
        into.extend_from_slice(&self.bytes[at..at + came]);
        came
    }
}

fn photo(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/photos").join(name)).unwrap()
}

fn recipe() -> Recipe {
    let widths = [900, 300].map(|width| {
        format!("[[output]]\nkey = \"{width}/{{key}}\"\nformat = \"jpeg\"\nresize = {{ width = {width} }}\n")
    });
    let manifest = "[[output]]\nkey = \"m/{key}.json\"\nformat = \"manifest\"\n";
    Recipe::parse(&(head() + &widths.concat() + manifest)).unwrap()
}

/// What was handed over, by key; and whether it was while the bytes came.
fn made(bytes: &[u8], end: usize, at_once: usize) -> (Vec<Rendition>, Option<usize>, usize) {
    let (recipe, limits) = (recipe(), Limits { threads: 2, ..Limits::default() });
    let slowly = Slowly { bytes, at_once, end, asked: AtomicUsize::new(0) };
    let done = Mutex::new(Vec::new());
    let sink = |print| done.lock().unwrap().push(print);
    let summary = render_arriving(&slowly, "a.jpg", &recipe, &limits, &sink, &|| false).unwrap();
    (sorted(done), summary.map(|summary| summary.prints), slowly.asked.into_inner())
}

fn sorted(done: Mutex<Vec<Rendition>>) -> Vec<Rendition> {
    let mut done = done.into_inner().unwrap();
    done.sort_by(|a, b| a.key.cmp(&b.key));
    done
}

#[test]
fn prints_are_the_same_as_of_a_picture_that_is_there() {
    for name in ["dogs at the window.jpg", "dragonfly-12mp.jpg"] {
        let bytes = photo(name);
        let whole = Mutex::new(Vec::new());
        let sink = |print| whole.lock().unwrap().push(print);
        render(&bytes, "a.jpg", &recipe(), &Limits::default(), &sink).unwrap();
        let whole = sorted(whole);
        for at_once in [1000, 1 << 20] {
            let (prints, count, asked) = made(&bytes, bytes.len(), at_once);
            assert_eq!(count, Some(3), "{name}");
            assert!(prints == whole, "{name} {at_once}");
            assert!(asked >= bytes.len() / at_once.min(64 << 10), "it is read as it comes: {asked}");
        }
    }
}

#[test]
fn nothing_is_handed_over_of_what_breaks_off_or_must_be_there() {
    let bytes = photo("dogs at the window.jpg");
    for end in [0, 1, 2, 300, 20_000, bytes.len() / 2, bytes.len() - 3] {
        let (prints, count, _) = made(&bytes, end, 5000);
        assert_eq!((prints.len(), count), (0, None), "{end}");
    }
    for name in ["fig-cutout.png", "sunset.webp", "dandelion-zoom.gif", "dandelions.jpg"] {
        let bytes = photo(name);
        let (prints, count, asked) = made(&bytes, bytes.len(), 5000);
        assert_eq!((prints.len(), count), (0, None), "{name}");
        assert!(asked < 10, "it is known from the first bytes: {asked}");
    }
}
