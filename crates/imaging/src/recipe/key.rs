//! Key templates: the object key of a print, made from the key of its source.
//!
//! Owns: parsing templates and expanding them. Refuses: keys that S3 cannot hold.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::Format;

/// Failure reports live under this prefix of the processed bucket; no print may.
pub const REPORT_PREFIX: &str = "failures/";

/// The longest object key, in bytes of UTF-8 (Amazon S3 User Guide, "Naming
/// Amazon S3 objects").
pub const LONGEST_KEY: usize = 1024;

/// A parsed key template such as `{dir}{stem}_{width}x{height}.{ext}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    Variable(Variable),
}

/// What a template may name in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variable {
    /// The whole source key.
    Key,
    /// The source key up to and including its last `/`; empty without one.
    Dir,
    /// The file name: what follows the last `/`.
    Name,
    /// The file name without its last extension.
    Stem,
    /// The extension of the print's format, without a dot.
    Ext,
    /// The print's own width in pixels.
    Width,
    /// The print's own height in pixels.
    Height,
}

impl Variable {
    const ALL: [(&'static str, Self); 7] = [
        ("key", Self::Key),
        ("dir", Self::Dir),
        ("name", Self::Name),
        ("stem", Self::Stem),
        ("ext", Self::Ext),
        ("width", Self::Width),
        ("height", Self::Height),
    ];
}

/// What a template is expanded with: a source key and a finished print.
#[derive(Debug, Clone, Copy)]
pub struct PrintName<'a> {
    /// The source's object key.
    pub source_key: &'a str,
    /// The print's format.
    pub format: Format,
    /// The print's width in pixels.
    pub width: u32,
    /// The print's height in pixels.
    pub height: u32,
}

/// Why a template gives no usable key for a source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// S3 holds no key of this length.
    #[error(
        "its key would be {length} bytes long and S3 allows {LONGEST_KEY}; shorten the source's key or the template"
    )]
    TooLong {
        /// Length in bytes of UTF-8.
        length: usize,
    },
    /// Nothing is left of the key.
    #[error("its key would be empty; add a literal to the template")]
    Empty,
    /// The key is where reports are kept.
    #[error(
        "its key {key:?} would lie under {REPORT_PREFIX:?}, where failure reports are kept; put a prefix into the template"
    )]
    Report {
        /// The key.
        key: String,
    },
}

impl KeyTemplate {
    /// Parses a template. `{{` and `}}` stand for braces. The error says what
    /// is wrong and how to mend it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let after = &rest[at + 1..];
            if after.starts_with(brace) {
                literal.push_str(brace);
                rest = &after[1..];
                continue;
            }
            if brace == "}" {
                return Err("a } stands alone; write }} for a literal brace".to_owned());
            }
            let Some(end) = after.find('}') else {
                return Err("a { is not closed; write {{ for a literal brace".to_owned());
            };
            let name = &after[..end];
            let Some((_, variable)) = Variable::ALL.iter().find(|(known, _)| *known == name) else {
                let known = Variable::ALL.map(|(known, _)| format!("{{{known}}}")).join(" ");
                return Err(format!("{{{name}}} is not known; use {known}"));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Variable(*variable));
            rest = &after[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        if pieces.is_empty() {
            return Err("it is empty; try \"prints/{key}\"".to_owned());
        }
        let names_source = pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Variable(Variable::Key | Variable::Name | Variable::Stem)));
        if !names_source {
            return Err("every picture would get the same key; add {key}, {name} or {stem}".to_owned());
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether two sources can never share a key: the source key stands whole
    /// between fixed text.
    pub(super) fn is_sole(&self) -> bool {
        let mut whole = 0;
        let mut parts = 0;
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Variable(Variable::Key) => whole += 1,
                Piece::Variable(Variable::Dir)
                    if self.pieces.get(index + 1) == Some(&Piece::Variable(Variable::Name)) =>
                {
                    whole += 1;
                }
                Piece::Variable(Variable::Name)
                    if index > 0 && self.pieces[index - 1] == Piece::Variable(Variable::Dir) => {}
                Piece::Literal(_) | Piece::Variable(Variable::Ext) => {}
                Piece::Variable(_) => parts += 1,
            }
        }
        whole == 1 && parts == 0
    }

    /// Whether photos named alike but for their folder or extension would
    /// overwrite each other's prints; the variable to use instead.
    pub(super) fn confuses(&self) -> Option<&'static str> {
        let has = |wanted| self.pieces.contains(&Piece::Variable(wanted));
        if has(Variable::Key) || (has(Variable::Dir) && has(Variable::Name)) {
            None
        } else if has(Variable::Dir) {
            Some(
                "sources that differ only in their extension (a.jpg, a.png) share its prints; {name} or {key} keeps them apart",
            )
        } else {
            Some(
                "sources of the same name in different folders share its prints; {dir} or {key} keeps them apart",
            )
        }
    }

    /// The key of a finished print.
    pub fn expand(&self, print: &PrintName<'_>) -> Result<String, KeyError> {
        let (dir, name, stem) = split(print.source_key);
        let mut key = String::with_capacity(self.text.len() + print.source_key.len());
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => key.push_str(literal),
                Piece::Variable(Variable::Key) => key.push_str(print.source_key),
                Piece::Variable(Variable::Dir) => key.push_str(dir),
                Piece::Variable(Variable::Name) => key.push_str(name),
                Piece::Variable(Variable::Stem) => key.push_str(stem),
                Piece::Variable(Variable::Ext) => key.push_str(print.format.extension()),
                Piece::Variable(Variable::Width) => key.push_str(&print.width.to_string()),
                Piece::Variable(Variable::Height) => key.push_str(&print.height.to_string()),
            }
        }
        storable(key)
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for KeyTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Where the failure report of a source lies: `failures/<key>.json`, or, where
/// that would be longer than S3 allows, the beginning of the key with a digest
/// of the whole.
pub fn report_key(source_key: &str) -> String {
    let plain = format!("{REPORT_PREFIX}{source_key}.json");
    if plain.len() <= LONGEST_KEY {
        return plain;
    }
    let digest = super::hex::hex(source_key.as_bytes());
    let mut end = LONGEST_KEY - REPORT_PREFIX.len() - digest.len() - "~.json".len();
    while !source_key.is_char_boundary(end) {
        end -= 1;
    }
    format!("{REPORT_PREFIX}{}~{digest}.json", &source_key[..end])
}

/// `a/b/c.tar.gz` is (`a/b/`, `c.tar.gz`, `c.tar`). A leading dot begins no
/// extension.
pub(super) fn split(key: &str) -> (&str, &str, &str) {
    let (dir, name) = key.split_at(key.rfind('/').map_or(0, |slash| slash + 1));
    let stem = match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    };
    (dir, name, stem)
}

/// The key, if S3 can hold it and no report lies there.
pub(super) fn storable(key: String) -> Result<String, KeyError> {
    if key.is_empty() {
        Err(KeyError::Empty)
    } else if key.len() > LONGEST_KEY {
        Err(KeyError::TooLong { length: key.len() })
    } else if key.starts_with(REPORT_PREFIX) {
        Err(KeyError::Report { key })
    } else {
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(template: &str, source_key: &str) -> Result<String, KeyError> {
        let print = PrintName { source_key, format: Format::Webp, width: 1280, height: 853 };
        KeyTemplate::parse(template).unwrap().expand(&print)
    }

    #[test]
    fn templates_expand() {
        for (template, source, expected) in [
            ("{dir}{stem}_{width}x{height}.{ext}", "a/b/cat.jpg", "a/b/cat_1280x853.webp"),
            ("{dir}{stem}_{width}x{height}.{ext}", "cat.jpg", "cat_1280x853.webp"),
            ("pixelated-8x8-{key}", "a/cat.jpg", "pixelated-8x8-a/cat.jpg"),
            ("p/{name}", "a//b.c.d", "p/b.c.d"),
            ("p/{dir}{stem}", "a//b.c.d", "p/a//b.c"),
            ("p/{stem}", ".hidden", "p/.hidden"),
            ("p/{stem}", "../up.png", "p/up"),
            ("{{{stem}}}", "ä b.png", "{ä b}"),
        ] {
            assert_eq!(expand(template, source).as_deref(), Ok(expected), "{template} of {source}");
        }
    }

    #[test]
    fn keys_that_s3_cannot_hold_are_errors() {
        assert_eq!(expand("p/{key}", &"k".repeat(1023)), Err(KeyError::TooLong { length: 1025 }));
        assert_eq!(expand("{stem}", "folder/"), Err(KeyError::Empty));
        assert!(matches!(expand("{key}", "failures/x"), Err(KeyError::Report { .. })));
        assert!(expand("p/{key}", &"k".repeat(1022)).is_ok());
    }

    #[test]
    fn bad_templates_say_what_to_write() {
        for (template, word) in [
            ("", "empty"),
            ("{key", "{{"),
            ("key}", "}}"),
            ("{keys}", "{key}"),
            ("fixed.jpg", "{stem}"),
            ("{dir}{width}", "{key}"),
        ] {
            let error = KeyTemplate::parse(template).unwrap_err();
            assert!(error.contains(word), "{template:?}: {error}");
        }
    }

    #[test]
    fn a_report_key_fits_and_differs_for_long_keys() {
        assert_eq!(report_key("a/b.jpg"), "failures/a/b.jpg.json");
        let long = "ü".repeat(512);
        let longer = format!("{}x", "ü".repeat(511));
        assert!(report_key(&long).len() <= LONGEST_KEY);
        assert_ne!(report_key(&long), report_key(&longer));
    }
}
