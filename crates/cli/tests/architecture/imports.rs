//! Owns where the names of a crate lead: from the file that names an item to the file that defines it.
//! Refuses to judge the arrows: `rules` does.
//!
//! A name that a module only re-exports leads to its definition, and the re-export is no arrow; `mod child;` and the name of a module by itself
//! lead nowhere; neither do methods, which need no import. What a macro defines is taken to be in the file that the
//! path leads to.

use std::collections::{BTreeMap, BTreeSet};

use crate::items::{self, Binds, Named};

/// A file of `src/`: its path below it, and its text.
pub(crate) type Files = BTreeMap<String, String>;

/// From one file to another of the same crate: the names and the lines that name them.
pub(crate) type Arrows = BTreeMap<(String, String), BTreeMap<String, usize>>;

/// `library` is the name by which programs of the same package name their library.
pub(crate) fn arrows(library: &str, files: &Files) -> Result<Arrows, String> {
    let tree = Tree::of(library, files)?;
    let mut arrows = Arrows::new();
    for at in 0..tree.modules.len() {
        for (to, name, line) in tree.named_by(at) {
            let from = &tree.modules[at].file;
            if *from != to {
                arrows.entry((from.clone(), to)).or_default().entry(name).or_insert(line);
            }
        }
    }
    Ok(arrows)
}

/// Whether the file holds tests alone, by its name.
pub(crate) fn is_of_tests(file: &str) -> bool {
    file.ends_with("/tests.rs")
        || file == "tests.rs"
        || file.ends_with("_tests.rs")
        || file.contains("/tests/")
}

struct Tree {
    modules: Vec<Module>,
    /// `lib.rs`, and the name that programs beside it know it by.
    library: Option<usize>,
    name: String,
}

struct Module {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    said: items::Module,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Item(String),
    Module(usize),
}

/// The names that are being looked up, so that names which lead to themselves end.
type Seen = BTreeSet<(usize, String, bool)>;

impl Tree {
    fn of(library: &str, files: &Files) -> Result<Self, String> {
        let mut tree = Self { modules: Vec::new(), library: None, name: library.to_owned() };
        let mut tests = Vec::new();
        for root in files.keys().filter(|file| is_root(file)) {
            let at = tree.file(root, None, files, &mut tests)?;
            if root == "lib.rs" {
                tree.library = Some(at);
            }
        }
        let read: BTreeSet<&str> = tree.modules.iter().map(|module| module.file.as_str()).collect();
        let lost = files.keys().find(|file| {
            let is_test = is_of_tests(file) || tests.iter().any(|test| file.starts_with(test.as_str()));
            !read.contains(file.as_str()) && !is_test
        });
        match lost {
            Some(file) => {
                Err(format!("no `mod` leads to {file}: name the module in its parent, or delete the file"))
            }
            None => Ok(tree),
        }
    }

    /// Reads a file, and the files of its modules.
    fn file(
        &mut self,
        file: &str,
        parent: Option<usize>,
        files: &Files,
        tests: &mut Vec<String>,
    ) -> Result<usize, String> {
        let read = items::read(&files[file]).map_err(|error| format!("{file}: {error}"))?;
        let first = self.modules.len();
        let mut folders: Vec<String> = Vec::new();
        for said in read {
            let at = self.modules.len();
            let parent = said.parent.map(|inside| first + inside).or(parent);
            let folder = match said.parent {
                Some(inside) => format!("{}{}/", folders[inside], said.name),
                None => folder(file),
            };
            if let Some(inside) = said.parent {
                self.modules[first + inside].children.insert(said.name.clone(), at);
            }
            folders.push(folder);
            self.modules.push(Module { file: file.to_owned(), parent, children: BTreeMap::new(), said });
        }
        for (inside, folder) in folders.iter().enumerate() {
            let said = &self.modules[first + inside].said;
            tests.extend(
                said.tests.iter().flat_map(|name| [format!("{folder}{name}.rs"), format!("{folder}{name}/")]),
            );
            for name in said.files.clone() {
                let places = [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")];
                let Some(place) = places.iter().find(|place| files.contains_key(*place)) else {
                    return Err(format!(
                        "{file}: `mod {name};` leads neither to {} nor to {}",
                        places[0], places[1]
                    ));
                };
                if !is_of_tests(place) {
                    let child = self.file(place, Some(first + inside), files, tests)?;
                    self.modules[first + inside].children.insert(name, child);
                }
            }
        }
        Ok(first)
    }

    /// What the module names: the file that defines it, the name as it is written, the line.
    fn named_by(&self, at: usize) -> Vec<(String, String, usize)> {
        let said = &self.modules[at].said;
        let mut found = Vec::new();
        // What is used of a module, also by a glob, is found name by name.
        let mut add = |targets: Vec<Target>, path: &Named| {
            for target in targets {
                if let Target::Item(file) = target {
                    found.push((file, path.segments.join("::"), path.line));
                }
            }
        };
        for used in &said.uses {
            // A façade that hands a name on without using it depends on nothing.
            let handed_on = used.public
                && match &used.binds {
                    Binds::Name(name) => !said.paths.iter().any(|path| path.segments[0] == *name),
                    Binds::All => true,
                    Binds::Nothing => false,
                };
            if !handed_on {
                add(self.path(at, &used.path.segments, &mut Seen::new()), &used.path);
            }
        }
        for path in &said.paths {
            let targets = match path.segments.as_slice() {
                [name] => self.single(at, name, path.is_macro),
                segments => self.path(at, segments, &mut Seen::new()),
            };
            add(targets, path);
        }
        found
    }

    /// A name without a path: what its `use` names has been counted there, so that only globs and macros are left.
    fn single(&self, at: usize, name: &str, is_macro: bool) -> Vec<Target> {
        let module = &self.modules[at];
        let is_own = module.said.items.contains(name)
            || module.children.contains_key(name)
            || module.said.uses.iter().any(|used| used.binds == Binds::Name(name.to_owned()));
        if is_own {
            return Vec::new();
        }
        if let Some(found) = self.through_globs(at, name, true, &mut Seen::new()) {
            return found;
        }
        self.modules
            .iter()
            .filter(|other| is_macro && other.said.macros.contains(name))
            .map(|other| Target::Item(other.file.clone()))
            .collect()
    }

    /// Where a path leads that is written in the module `at`; nowhere if to another crate.
    fn path(&self, at: usize, segments: &[String], seen: &mut Seen) -> Vec<Target> {
        let Some((first, mut rest)) = segments.split_first() else { return Vec::new() };
        let mut here = match first.as_str() {
            "crate" => vec![Target::Module(self.root(at))],
            "self" => vec![Target::Module(at)],
            "super" => self.parent(at),
            "" => Vec::new(),
            name => match self.lookup(at, name, rest.is_empty(), seen) {
                Some(found) => found,
                None if *name == self.name => self.library.map(Target::Module).into_iter().collect(),
                None => Vec::new(),
            },
        };
        while let Some((name, after)) = rest.split_first() {
            here =
                here.into_iter().flat_map(|target| self.step(target, name, after.is_empty(), seen)).collect();
            rest = after;
        }
        here.sort();
        here.dedup();
        here
    }

    fn step(&self, target: Target, name: &str, last: bool, seen: &mut Seen) -> Vec<Target> {
        match target {
            // `Type::function`, `Enum::Variant`: the first name decides.
            Target::Item(_) => vec![target],
            Target::Module(module) if name == "super" => self.parent(module),
            Target::Module(module) => self
                .lookup(module, name, last, seen)
                .unwrap_or_else(|| vec![Target::Item(self.modules[module].file.clone())]),
        }
    }

    fn parent(&self, at: usize) -> Vec<Target> {
        self.modules[at].parent.map(Target::Module).into_iter().collect()
    }

    fn root(&self, mut at: usize) -> usize {
        while let Some(parent) = self.modules[at].parent {
            at = parent;
        }
        at
    }

    /// What a name is in a module: nothing if the module has no such name, empty if another crate's.
    /// Before a `::` a module counts more than an item of the same name, at the end of a path less.
    fn lookup(&self, at: usize, name: &str, last: bool, seen: &mut Seen) -> Option<Vec<Target>> {
        if !seen.insert((at, name.to_owned(), last)) {
            return None;
        }
        let module = &self.modules[at];
        let child = module.children.get(name).map(|child| vec![Target::Module(*child)]);
        if !last && child.is_some() {
            return child;
        }
        let own = module.said.items.contains(name).then(|| Target::Item(module.file.clone()));
        let mut found: Vec<Target> = own.into_iter().collect();
        let mut is_named = !found.is_empty();
        for used in module.said.uses.iter().filter(|used| used.binds == Binds::Name(name.to_owned())) {
            is_named = true;
            found.extend(self.path(at, &used.path.segments, seen));
        }
        match (found.is_empty(), child) {
            (true, Some(child)) => Some(child),
            _ if is_named => Some(found),
            _ => self.through_globs(at, name, last, seen),
        }
    }

    fn through_globs(&self, at: usize, name: &str, last: bool, seen: &mut Seen) -> Option<Vec<Target>> {
        let globs = self.modules[at].said.uses.iter().filter(|used| used.binds == Binds::All);
        globs
            .flat_map(|used| self.path(at, &used.path.segments, seen))
            .collect::<Vec<_>>()
            .into_iter()
            .find_map(|target| match target {
                Target::Module(module) => self.lookup(module, name, last, seen),
                Target::Item(_) => None,
            })
    }
}

fn is_root(file: &str) -> bool {
    let program = file.strip_prefix("bin/").map(|rest| rest.strip_suffix("/main.rs").unwrap_or(rest));
    matches!(file, "lib.rs" | "main.rs")
        || program.is_some_and(|rest| !rest.trim_end_matches(".rs").contains('/'))
}

/// Where the modules of a file lie.
fn folder(file: &str) -> String {
    let (before, name) = file.rsplit_once('/').map_or(("", file), |(before, name)| (before, name));
    let before = if before.is_empty() { String::new() } else { format!("{before}/") };
    match name {
        "mod.rs" | "lib.rs" | "main.rs" => before,
        _ if before == "bin/" => before,
        _ => format!("{before}{}/", name.trim_end_matches(".rs")),
    }
}

#[cfg(test)]
fn drawn(library: &str, files: &[(&str, &str)]) -> Result<String, String> {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let arrows = arrows(library, &files)?;
    Ok(arrows.keys().map(|(from, to)| format!("{from}>{to}")).collect::<Vec<_>>().join(" "))
}

#[test]
fn a_name_leads_to_the_file_that_defines_it() {
    for (text, expected) in [
        ("use crate::b::Name;", "b.rs"),
        ("use crate::{b::{Name, self}, d::{e::Deep as Other}};", "b.rs d/e.rs"),
        ("use super::b::Name as _;", "b.rs"),
        ("use self::inner::X; mod inner { pub use super::super::b::Name as X; }", "b.rs"),
        ("mod inner { use super::super::b::Name; }", "b.rs"),
        ("use crate::d::Deep;", "d/e.rs"),
        ("use crate::d::Renamed::Variant;", "d/e.rs"),
        ("use crate::d::own;", "d/mod.rs"),
        ("use crate::Name;", "b.rs"),
        ("fn f() -> usize { crate::b::at_most(1) }", "b.rs"),
        ("use crate::d; fn f(_: d::e::Deep) {}", "d/e.rs"),
        ("use crate::b; mod c;", ""),
        ("use crate::b::*; fn f(_: Name) {}", "b.rs"),
        ("use crate::b::*; fn f(_: u8) {}", ""),
        ("use crate::d::*; fn f(_: Deep) {}", "d/e.rs"),
        ("pub(crate) use crate::b::Name;", ""),
        ("pub(crate) use crate::b::Name; fn f(_: Name) {}", "b.rs"),
        ("pub(in crate::b) fn f() {}", ""),
        ("fn f() { shout!(); }", "b.rs"),
        ("/// [`crate::b::Name`]\nfn f() { g(\"crate::b::Name\"); /* crate::b::Name */ }", ""),
        ("#[cfg(test)] mod tests { use crate::b::Name; }", ""),
        ("#[cfg(test)] use crate::b::Name; use crate::d::own;", "d/mod.rs"),
        ("struct S { #[cfg(test)] a: crate::b::Name, c: u8 }", ""),
        ("#[cfg(not(test))] use crate::b::Name;", "b.rs"),
        ("use std::b::Name; use ::b::Name as Y; use serde::d;", ""),
        ("fn f(x: u8) { x.b::<u8>(); Self::b::<u8>(); }", ""),
    ] {
        let files = [
            ("lib.rs", "mod a; mod b; mod d; pub use b::Name;"),
            ("a.rs", text),
            ("a/c.rs", ""),
            (
                "b.rs",
                "macro_rules! shout { () => {} }\npub struct Name; pub fn at_most(n: usize) -> usize { n }",
            ),
            (
                "d/mod.rs",
                "mod e; pub use e::{Deep, Deep as Renamed}; pub fn own() {}\n#[cfg(test)] mod more;",
            ),
            ("d/e.rs", "pub enum Deep { Variant }"),
            ("d/more.rs", "use crate::b::Name;"),
            ("d/tests.rs", "use crate::b::Name;"),
        ];
        let files: Vec<_> =
            files.into_iter().filter(|file| file.0 != "a/c.rs" || text.contains("mod c;")).collect();
        let expected: Vec<String> = expected.split_whitespace().map(|to| format!("a.rs>{to}")).collect();
        assert_eq!(drawn("ours", &files).unwrap(), expected.join(" "), "{text}");
    }
}

#[test]
fn children_and_parents_and_programs_are_told_apart() {
    let a_type_over_files = [
        ("lib.rs", "mod a;"),
        ("a.rs", "mod b; pub use b::Part; pub struct Whole; impl Whole { fn f(&self) { self.g() } }"),
        ("a/b.rs", "use super::Whole; pub struct Part; impl Whole { fn g(&self) {} }"),
    ];
    assert_eq!(drawn("ours", &a_type_over_files).unwrap(), "a/b.rs>a.rs");
    let a_circle = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod b; pub struct Whole(b::Part);"),
        ("a/b.rs", "pub struct Part; fn f(_: super::Whole) {}"),
    ];
    assert_eq!(drawn("ours", &a_circle).unwrap(), "a/b.rs>a/mod.rs a/mod.rs>a/b.rs");
    let a_program = [("lib.rs", "pub fn f() {}"), ("bin/p.rs", "fn main() { ours::f() }")];
    assert_eq!(drawn("ours", &a_program).unwrap(), "bin/p.rs>lib.rs");
}

#[test]
fn what_cannot_be_followed_is_refused() {
    for (files, expected) in [
        (vec![("lib.rs", "#[path = \"x.rs\"] mod a;")], "#[path]"),
        (vec![("lib.rs", "mod a;")], "leads neither"),
        (vec![("lib.rs", ""), ("a.rs", "")], "no `mod` leads to a.rs"),
    ] {
        let error = drawn("ours", &files).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
