//! Which keys a source leads to. Owns knowing them without looking at the
//! picture; refuses to list a bucket.

use super::Format;
use super::key::{KeyError, LONGEST_KEY, Piece, Variable, split, storable};
use super::output::Output;

/// The keys that one source leads to under one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Footprint {
    /// Exactly this key, whatever the picture, and no other source's.
    Exact(String),
    /// Keys that depend on the picture too, or that another source may share
    /// (`{stem}.webp` of a.jpg and a.png): found by listing `prefix` and asking
    /// [`Footprint::covers`]; whose print it is stands in its metadata.
    Listed {
        /// What all of them start with.
        prefix: String,
        /// The rest of the template, source key filled in; empty where
        /// `prefix` is the whole key.
        rest: Vec<Rest>,
    },
    /// No key: the template cannot name a print of this source.
    Nothing(KeyError),
}

/// A piece of a key that is known but for the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// These characters.
    Literal(String),
    /// A number of pixels.
    Number,
    /// The extension of any format.
    Extension,
}

impl Output {
    /// The keys that `source_key` leads to under this output, as far as they
    /// are known without the picture.
    pub fn footprint(&self, source_key: &str) -> Footprint {
        let (dir, name, stem) = split(source_key);
        let mut rest = Vec::new();
        for piece in self.key.pieces() {
            match piece {
                Piece::Literal(literal) => append(&mut rest, literal),
                Piece::Variable(Variable::Key) => append(&mut rest, source_key),
                Piece::Variable(Variable::Dir) => append(&mut rest, dir),
                Piece::Variable(Variable::Name) => append(&mut rest, name),
                Piece::Variable(Variable::Stem) => append(&mut rest, stem),
                Piece::Variable(Variable::Ext) => match self.format.candidates() {
                    Some([format]) => append(&mut rest, format.extension()),
                    _ => rest.push(Rest::Extension),
                },
                Piece::Variable(Variable::Width | Variable::Height) => rest.push(Rest::Number),
            }
        }
        Footprint::of(rest, self.key.is_sole())
    }

    /// What every key of this output starts with, whatever the source.
    pub fn literal_prefix(&self) -> &str {
        match self.key.pieces().first() {
            Some(Piece::Literal(literal)) => literal,
            _ => "",
        }
    }
}

impl Footprint {
    fn of(mut rest: Vec<Rest>, sole: bool) -> Self {
        if rest.iter().any(|piece| !matches!(piece, Rest::Literal(_))) {
            let prefix = match rest.first() {
                Some(Rest::Literal(_)) => match rest.remove(0) {
                    Rest::Literal(prefix) => prefix,
                    Rest::Number | Rest::Extension => String::new(),
                },
                _ => String::new(),
            };
            if prefix.len() > LONGEST_KEY {
                return Self::Nothing(KeyError::TooLong { length: prefix.len() });
            }
            return Self::Listed { prefix, rest };
        }
        let key = rest
            .into_iter()
            .map(|piece| match piece {
                Rest::Literal(literal) => literal,
                Rest::Number | Rest::Extension => String::new(),
            })
            .collect();
        match storable(key) {
            Ok(key) if sole => Self::Exact(key),
            Ok(prefix) => Self::Listed { prefix, rest: Vec::new() },
            Err(error) => Self::Nothing(error),
        }
    }

    /// Whether `key` may be a print of the source under this output.
    pub fn covers(&self, key: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == key,
            Self::Listed { prefix, rest } => {
                key.strip_prefix(prefix.as_str()).is_some_and(|tail| rest_covers(rest, tail))
            }
            Self::Nothing(_) => false,
        }
    }
}

/// Numbers are greedy: a template cannot put a digit right behind one and still
/// be read back, and a false "no" there would only leave a print behind that
/// another source's metadata protects anyway; so each length is tried.
fn rest_covers(rest: &[Rest], tail: &str) -> bool {
    let Some((piece, later)) = rest.split_first() else { return tail.is_empty() };
    match piece {
        Rest::Literal(literal) => {
            tail.strip_prefix(literal.as_str()).is_some_and(|tail| rest_covers(later, tail))
        }
        Rest::Extension => Format::ALL
            .iter()
            .filter(|format| format.is_written())
            .any(|format| tail.strip_prefix(format.extension()).is_some_and(|tail| rest_covers(later, tail))),
        Rest::Number => {
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count().min(10);
            (1..=digits).rev().any(|length| rest_covers(later, &tail[length..]))
        }
    }
}

fn append(rest: &mut Vec<Rest>, text: &str) {
    match rest.last_mut() {
        _ if text.is_empty() => {}
        Some(Rest::Literal(literal)) => literal.push_str(text),
        _ => rest.push(Rest::Literal(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Recipe;
    use crate::recipe::PrintName;

    fn output(key: &str, format: &str) -> Output {
        let recipe = format!("[[output]]\nkey = \"{key}\"\nformat = \"{format}\"\n");
        Recipe::parse(&recipe).unwrap().outputs.remove(0)
    }

    #[test]
    fn a_footprint_is_exact_unless_the_key_depends_on_the_picture() {
        let exact = output("t/{key}.{ext}", "webp").footprint("a/b.jpg");
        assert_eq!(exact, Footprint::Exact("t/a/b.jpg.webp".to_owned()));
        let listed = output("{dir}{stem}_{width}x{height}.{ext}", "source").footprint("a/b.jpg");
        assert!(matches!(&listed, Footprint::Listed { prefix, .. } if prefix == "a/b_"));
        for (key, covered) in [
            ("a/b_1x2.jpg", true),
            ("a/b_1280x853.webp", true),
            ("a/b_1280x853.tiff", false),
            ("a/b_2_1280x853.webp", false),
            ("a/b_x853.webp", false),
            ("a/b_1x2.jpg2", false),
            ("a/c_1x2.jpg", false),
        ] {
            assert_eq!(listed.covers(key), covered, "{key}");
        }
    }

    #[test]
    fn a_key_that_two_sources_may_share_is_listed() {
        for (template, shared) in [
            ("{key}", false),
            ("a{key}b", false),
            ("a/{dir}{name}", false),
            ("{dir}{stem}.{ext}", true),
            ("{name}", true),
            ("{dir}/{name}", true),
            ("{stem}{key}", true),
        ] {
            let footprint = output(template, "png").footprint("x/a.jpg");
            assert_eq!(matches!(footprint, Footprint::Listed { .. }), shared, "{template}");
        }
        let shared = output("p/{stem}.{ext}", "png").footprint("x/a.jpg");
        assert!(shared.covers("p/a.png") && !shared.covers("p/a.png2"));
    }

    #[test]
    fn every_print_is_in_its_footprint() {
        for template in ["{dir}{stem}_{width}x{height}.{ext}", "{height}{width}{key}", "p-{name}.{ext}"] {
            for format in ["source", "png"] {
                let output = output(template, format);
                for source_key in ["a/b.jpg", "x", "1/2", "9.9"] {
                    let print = PrintName { source_key, format: Format::Png, width: 12, height: 345 };
                    let key = output.key.expand(&print).unwrap();
                    assert!(output.footprint(source_key).covers(&key), "{template} {key}");
                }
            }
        }
    }
}
