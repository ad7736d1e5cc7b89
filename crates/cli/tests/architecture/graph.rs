//! Owns circles in a graph of names. Refuses to know what an arrow means.

use std::collections::{BTreeMap, BTreeSet};

/// Arrows from each name.
#[derive(Clone, Default)]
pub(crate) struct Graph(BTreeMap<String, BTreeSet<String>>);

impl Graph {
    /// An arrow from a name to itself says nothing and is dropped.
    pub(crate) fn add(&mut self, from: &str, to: &str) {
        if from != to {
            self.0.entry(from.to_owned()).or_default().insert(to.to_owned());
        }
    }

    /// What a walk of one arrow or more comes to.
    fn reach(&self, from: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![from];
        while let Some(name) = open.pop() {
            for to in self.0.get(name).into_iter().flatten() {
                if found.insert(to.as_str()) {
                    open.push(to);
                }
            }
        }
        found
    }

    pub(crate) fn leads(&self, from: &str, to: &str) -> bool {
        self.reach(from).contains(to)
    }

    /// The names that lead to each other, each set once: strongly connected components of more than one name.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<&str>> {
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            self.0.keys().map(|name| (name.as_str(), self.reach(name))).collect();
        let mut circles = BTreeSet::new();
        for (name, reached) in &reach {
            let circle: BTreeSet<&str> = reached
                .iter()
                .copied()
                .filter(|other| reach.get(other).is_some_and(|back| back.contains(name)))
                .collect();
            if !circle.is_empty() {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

#[test]
fn circles_are_found_whatever_their_length() {
    for (arrows, expected) in [
        ("", ""),
        ("a>b b>c a>c", ""),
        ("a>a", ""),
        ("a>b b>a", "a b"),
        ("a>b b>c c>a d>a a>e", "a b c"),
        ("a>b b>a c>d d>c b>c", "a b, c d"),
        ("a>b b>a b>c c>b", "a b c"),
    ] {
        let mut graph = Graph::default();
        for (from, to) in arrows.split_whitespace().filter_map(|arrow| arrow.split_once('>')) {
            graph.add(from, to);
        }
        let circles: Vec<String> = graph
            .circles()
            .into_iter()
            .map(|circle| circle.into_iter().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(circles.join(", "), expected, "{arrows}");
    }
}

#[test]
fn a_walk_follows_the_arrows() {
    let mut graph = Graph::default();
    graph.add("a", "b");
    graph.add("b", "c");
    assert!(graph.leads("a", "c"));
    assert!(!graph.leads("c", "a"));
    assert!(!graph.leads("a", "a"));
}
