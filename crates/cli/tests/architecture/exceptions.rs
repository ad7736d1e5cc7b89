//! Owns today's exceptions to `rules`. Refuses to grow: an exception that is no longer needed fails the test.

/// An import that closes a circle. `from` may be `*`, any file; `why` names what is imported.
pub(crate) struct Arrow {
    pub(crate) krate: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    #[expect(dead_code, reason = "for whoever reads the list")]
    pub(crate) why: &'static str,
}

impl Arrow {
    pub(crate) fn is(&self, from: &str, to: &str) -> bool {
        self.to == to && (self.from == "*" || self.from == from)
    }
}

#[expect(dead_code, reason = "no circle is left; an entry uses it")]
const fn arrow(krate: &'static str, from: &'static str, to: &'static str, why: &'static str) -> Arrow {
    Arrow { krate, from, to, why }
}

/// Each entry: the crate, the file that imports, the file imported from, the names that are imported.
pub(crate) const CIRCLES: &[Arrow] = &[];

/// Files of more than 500 lines, below `crates/`.
pub(crate) const LONG: &[(&str, usize)] = &[
    ("cli/src/worker/inbox.rs", 557),
    ("handler/src/reconcile.rs", 518),
    ("local/src/iam/authority.rs", 517),
    ("pixels/src/jpeg/baseline/huffman.rs", 547),
    ("pixels/src/vp8/kernels/avx2.rs", 503),
];
