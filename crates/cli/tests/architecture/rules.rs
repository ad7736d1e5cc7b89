//! Owns the rules on the files of each crate: no circle of files or rooms, headers, lengths.
//! Refuses to read Rust itself: `imports` does. Today's exceptions stand in `exceptions`.
//!
//! A room is a folder or file at the top of a crate's `src/`; `x.rs` and `x/` are one room.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::exceptions::{Arrow, CIRCLES, LONG};
use crate::graph::Graph;
use crate::imports::{Arrows, Files, arrows};

const LONGEST: usize = 500;

/// Every folder of `crates/` that has a `src/`, with its files.
fn crates() -> BTreeMap<String, Files> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeMap::new();
    for folder in std::fs::read_dir(all).unwrap() {
        let folder = folder.unwrap();
        let source = folder.path().join("src");
        if source.is_dir() {
            let mut files = Files::new();
            collect(&source, &source, &mut files);
            found.insert(folder.file_name().into_string().unwrap(), files);
        }
    }
    assert!(
        found.contains_key("cli") && found.len() > 3,
        "the crates are not where they were: {:?}",
        found.keys()
    );
    found
}

fn collect(source: &Path, folder: &Path, files: &mut Files) {
    let entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in entries {
        if path.is_dir() {
            collect(source, &path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let parts: Vec<&str> =
                path.strip_prefix(source).unwrap().iter().map(|part| part.to_str().unwrap()).collect();
            files.insert(parts.join("/"), std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// What is wrong with the arrows of a crate, in words; empty if nothing is.
fn judge(krate: &str, arrows: &Arrows, exceptions: &[&Arrow]) -> Vec<String> {
    let excepted = |from: &str, to: &str| exceptions.iter().any(|arrow| arrow.is(from, to));
    let (mut files, mut rooms) = (Graph::default(), Graph::default());
    for (from, to) in arrows.keys().filter(|(from, to)| !excepted(from, to)) {
        files.add(from, to);
        rooms.add(room(from), room(to));
    }
    let mut wrong = Vec::new();
    for circle in files.circles() {
        let inside = |file: &str| circle.contains(file);
        let told = tell(krate, arrows, |from, to| inside(from) && inside(to) && !excepted(from, to));
        wrong.push(format!(
            "crates/{krate}: these {} files import each other in a circle:\n{told}",
            circle.len()
        ));
    }
    for circle in rooms.circles() {
        let inside = |file: &str| circle.contains(room(file));
        let told = tell(krate, arrows, |from, to| {
            room(from) != room(to) && inside(from) && inside(to) && !excepted(from, to)
        });
        wrong.push(format!(
            "crates/{krate}: these {} rooms import each other in a circle:\n{told}",
            circle.len()
        ));
    }
    for exception in exceptions {
        let is_needed = arrows.keys().filter(|(from, to)| exception.is(from, to)).any(|(from, to)| {
            files.leads(to, from) || room(from) != room(to) && rooms.leads(room(to), room(from))
        });
        if !is_needed {
            wrong.push(format!(
                "crates/{krate}: the exception {} -> {} is no longer needed: remove it from exceptions.rs",
                exception.from, exception.to
            ));
        }
    }
    wrong
}

/// The chosen arrows, those with the fewest names first: they are the cheapest to turn.
fn tell(krate: &str, arrows: &Arrows, chosen: impl Fn(&str, &str) -> bool) -> String {
    let mut lines: Vec<(usize, String)> = arrows
        .iter()
        .filter(|((from, to), _)| chosen(from, to))
        .map(|((from, to), names)| {
            let line = names.values().min().copied().unwrap_or_default();
            let names: Vec<String> =
                names.iter().map(|(name, line)| format!("{name} (line {line})")).collect();
            (
                names.len(),
                format!("  crates/{krate}/src/{from}:{line} names from {to}: {}\n", names.join(", ")),
            )
        })
        .collect();
    lines.sort();
    lines.into_iter().map(|line| line.1).collect::<String>()
        + "  What to do: move the type or function that both sides need to a file of its own below both,\n  \
           or hand it in as an argument, so that the arrows lead one way."
}

#[test]
fn neither_files_nor_rooms_import_each_other_in_circles() {
    let crates = crates();
    let mut wrong = Vec::new();
    for (krate, files) in &crates {
        let exceptions: Vec<&Arrow> = CIRCLES.iter().filter(|arrow| arrow.krate == krate).collect();
        match arrows(&format!("minilab_{}", krate.replace('-', "_")), files) {
            Ok(arrows) => wrong.extend(judge(krate, &arrows, &exceptions)),
            Err(error) => wrong.push(format!("crates/{krate}/src: {error}")),
        }
    }
    wrong.extend(
        CIRCLES
            .iter()
            .filter(|arrow| !crates.contains_key(arrow.krate))
            .map(|arrow| format!("exceptions.rs: there is no crate {}: remove the exception", arrow.krate)),
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let mut wrong = Vec::new();
    let mut exceptions: BTreeMap<String, usize> =
        LONG.iter().map(|(file, lines)| ((*file).to_owned(), *lines)).collect();
    for (krate, files) in crates() {
        for (file, text) in files {
            let name = format!("{krate}/src/{file}");
            let lines = text.lines().count();
            match exceptions.remove(&name) {
                Some(_) if lines <= LONGEST => {
                    wrong.push(format!("crates/{name} is short now: remove it from LONG in exceptions.rs"));
                }
                Some(allowed) if lines < allowed => {
                    wrong.push(format!(
                        "crates/{name} has shrunk to {lines} lines: write {lines} in exceptions.rs"
                    ));
                }
                allowed if lines > allowed.unwrap_or(LONGEST) => wrong.push(format!(
                    "crates/{name} has {lines} lines, more than {}: divide it by what its parts are about",
                    allowed.unwrap_or(LONGEST)
                )),
                _ => {}
            }
        }
    }
    wrong.extend(exceptions.keys().map(|name| format!("there is no crates/{name}: remove it from LONG")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_file_says_first_what_it_owns() {
    let mut wrong = Vec::new();
    for (krate, files) in crates() {
        let bare = files
            .iter()
            .filter(|(file, text)| !text.starts_with("//!") && !crate::imports::is_of_tests(file));
        wrong.extend(bare.map(|(file, _)| {
            format!("crates/{krate}/src/{file} does not open with `//!`: say what it owns and refuses")
        }));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn circles_are_told_to_people_and_idle_exceptions_are_refused() {
    let arrow =
        |from: &str, to: &str| ((from.to_owned(), to.to_owned()), BTreeMap::from([("X".to_owned(), 3)]));
    let circle = Arrows::from([arrow("a/b.rs", "c.rs"), arrow("c.rs", "a/d.rs")]);
    let told = judge("k", &circle, &[]).join("\n");
    assert!(
        told.contains("2 rooms") && told.contains("crates/k/src/c.rs:3 names from a/d.rs: X (line 3)"),
        "{told}"
    );
    let mut exception = Arrow { krate: "k", from: "*", to: "a/d.rs", why: "" };
    assert_eq!(judge("k", &circle, &[&exception]), [""; 0]);
    exception.from = "e.rs";
    assert!(judge("k", &circle, &[&exception]).join("").contains("no longer needed"));
    let one_way = Arrows::from([arrow("a/b.rs", "c.rs"), arrow("a.rs", "c.rs")]);
    assert_eq!(judge("k", &one_way, &[]), [""; 0]);
    let files = Arrows::from([arrow("a/b.rs", "a.rs"), arrow("a.rs", "a/b.rs")]);
    assert!(judge("k", &files, &[]).join("").contains("2 files"));
}
