//! The golden corpus: every case in `tests/golden/<area>/<case>/` is a picture,
//! a recipe and the prints that it must give.
//!
//! `MINILAB_BLESS=1 cargo test -p minilab-imaging --test pictures` writes the
//! prints anew; look at the difference before you commit it. What a print shows
//! is compared, not its bytes: by default no sample may differ by more than 2
//! and the mean by more than 0.1; a file `tolerance` in a case ("max mean")
//! says otherwise.

use crate::corpus::{self, Case, Shown};
use minilab_imaging::{Limits, Recipe, Rendition, render};
use std::fmt::Write as _;
use std::sync::Mutex;

fn prints(case: &Case, threads: usize) -> Vec<Rendition> {
    let recipe = Recipe::parse(&case.recipe).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let done = Mutex::new(Vec::new());
    let limits = Limits { threads, ..recipe.limits };
    render(&case.input, "input.x", &recipe, &limits, &|print| done.lock().unwrap().push(print))
        .unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let mut prints = done.into_inner().unwrap();
    prints.sort_by_key(|print| print.output);
    assert_eq!(prints.len(), recipe.outputs.len(), "{}: a print for each output", case.name);
    prints
}

#[test]
fn every_case_gives_its_golden_prints() {
    let cases = corpus::cases();
    assert!(cases.len() >= 40, "only {} cases found", cases.len());
    let bless = corpus::blessing();
    let mut complaints = String::new();
    for case in &cases {
        for print in prints(case, 2) {
            let shown = Shown::of(&print);
            if print.frames == 1 {
                assert_eq!((shown.width, shown.height), (print.width, print.height), "{}", case.name);
            }
            let path = case.folder.join(format!("expected/{}.png", print.output));
            if bless {
                shown.save(&path);
                continue;
            }
            let expected = Shown::load(&path);
            if let Some(complaint) = expected.differs(&shown, case.tolerance) {
                writeln!(complaints, "{} print {}: {complaint}", case.name, print.output).unwrap();
            }
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

#[test]
fn the_same_arguments_give_the_same_bytes_whatever_the_threads() {
    for case in corpus::cases() {
        let alone = prints(&case, 1);
        for threads in [2, 5] {
            assert!(prints(&case, threads) == alone, "{} on {threads} threads", case.name);
        }
    }
}
