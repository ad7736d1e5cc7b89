//! Reading TOML field by field, keeping every problem instead of the first.
//!
//! Owns: positions, unknown fields, wrong types and units. Refuses: what the
//! fields mean.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// Collects problems, and knows on which line each byte of the text lies.
pub(super) struct Reader<'t> {
    text: &'t str,
    pub(super) problems: Vec<Problem>,
}

/// A table at a path such as `output[0].resize`, whose fields are taken one by one.
pub(super) struct Section<'d> {
    pub(super) path: String,
    pub(super) span: Range<usize>,
    table: &'d DeTable<'d>,
}

/// A value at a path, with its place in the text.
pub(super) struct Field<'d> {
    pub(super) path: String,
    pub(super) span: Range<usize>,
    pub(super) value: &'d DeValue<'d>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, problems: Vec::new() }
    }

    /// Reports a problem at `span`, quoting the text there as the value.
    pub(super) fn problem(
        &mut self,
        field: &str,
        span: &Range<usize>,
        what: impl Display,
        remedy: impl Display,
    ) {
        let start = span.start.min(self.text.len());
        let line = self.text.get(..start).unwrap_or(self.text).matches('\n').count() + 1;
        let value = self.text.get(span.clone()).unwrap_or_default().trim();
        // A whole table, or its header, is no value to quote.
        let header = value.starts_with('[') && (start == 0 || self.text.as_bytes()[start - 1] == b'\n');
        let value = if header || value.contains('\n') { "" } else { value };
        self.problems.push(Problem {
            line,
            field: field.to_owned(),
            value: value.chars().take(80).collect(),
            what: what.to_string(),
            remedy: remedy.to_string(),
        });
    }

    pub(super) fn wrong(&mut self, field: &Field<'_>, what: impl Display, remedy: impl Display) {
        self.problem(&field.path, &field.span, what, remedy);
    }

    /// The section's table, with a problem for each field that is not in `known`.
    pub(super) fn section<'d>(
        &mut self,
        path: &str,
        value: &'d Spanned<DeValue<'d>>,
        known: &[&str],
    ) -> Option<Section<'d>> {
        let Some(table) = value.get_ref().as_table() else {
            self.problem(path, &value.span(), "not a table", format!("write [{path}] or {path} = {{ … }}"));
            return None;
        };
        let section = Section { path: path.to_owned(), span: value.span(), table };
        self.unknown(&section, known);
        Some(section)
    }

    pub(super) fn unknown(&mut self, section: &Section<'_>, known: &[&str]) {
        for (name, _) in section.table {
            let field = name.get_ref().as_ref();
            if known.contains(&field) {
                continue;
            }
            let remedy = match nearest(field, known) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.problem(&section.join(field), &name.span(), "unknown field", remedy);
        }
    }

    pub(super) fn string<'d>(&mut self, section: &Section<'d>, name: &str) -> Option<(&'d str, Field<'d>)> {
        let field = section.field(name)?;
        if let Some(text) = field.value.as_str() {
            return Some((text, field));
        }
        self.wrong(&field, format!("{} where text is expected", article(field.value)), "put it in quotes");
        None
    }

    /// A whole number within `range`; `unit` names what is counted, or is empty.
    pub(super) fn number(
        &mut self,
        section: &Section<'_>,
        name: &str,
        range: RangeInclusive<u32>,
        unit: &str,
    ) -> Option<u32> {
        let field = section.field(name)?;
        let of = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
        let remedy =
            format!("write a whole number{of} from {} to {}, without a unit", range.start(), range.end());
        let Some(integer) = field.value.as_integer() else {
            self.wrong(&field, format!("{} where a number is expected", article(field.value)), remedy);
            return None;
        };
        match i64::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|n| u32::try_from(n).ok())
        {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                self.wrong(&field, "out of range", remedy);
                None
            }
        }
    }

    /// A number with or without a fraction within `range`.
    pub(super) fn decimal(
        &mut self,
        section: &Section<'_>,
        name: &str,
        range: RangeInclusive<f64>,
        unit: &str,
    ) -> Option<f64> {
        let field = section.field(name)?;
        let of = if unit.is_empty() { String::new() } else { format!(" of {unit}") };
        let remedy = format!("write a number{of} from {} to {}, without a unit", range.start(), range.end());
        match decimal(field.value) {
            Some(number) if range.contains(&number) => Some(number),
            Some(_) => {
                self.wrong(&field, "out of range", remedy);
                None
            }
            None => {
                self.wrong(&field, format!("{} where a number is expected", article(field.value)), remedy);
                None
            }
        }
    }

    /// One text or a list of texts, each with its place.
    pub(super) fn strings<'d>(
        &mut self,
        section: &Section<'d>,
        name: &str,
    ) -> Option<Vec<(&'d str, Field<'d>)>> {
        let field = section.field(name)?;
        if let Some(text) = field.value.as_str() {
            return Some(vec![(text, field)]);
        }
        let Some(array) = field.value.as_array().filter(|array| !array.is_empty()) else {
            let what = format!("{} where text or a list of texts is expected", article(field.value));
            self.wrong(&field, what, "write \"one\" or [\"one\", \"another\"]");
            return None;
        };
        let mut texts = Vec::new();
        for (index, value) in array.iter().enumerate() {
            let path = format!("{}[{index}]", field.path);
            let item = Field { path, span: value.span(), value: value.get_ref() };
            let Some(text) = item.value.as_str() else {
                let what = format!("{} where text is expected", article(item.value));
                self.wrong(&item, what, "put it in quotes");
                return None;
            };
            texts.push((text, item));
        }
        Some(texts)
    }

    pub(super) fn boolean(&mut self, section: &Section<'_>, name: &str) -> Option<bool> {
        let field = section.field(name)?;
        let value = field.value.as_bool();
        if value.is_none() {
            let what = format!("{} where true or false is expected", article(field.value));
            self.wrong(&field, what, "write true or false, without quotes");
        }
        value
    }

    /// One of a list of words.
    pub(super) fn word<T: Copy>(
        &mut self,
        section: &Section<'_>,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let (text, field) = self.string(section, name)?;
        self.known(text, &field, words)
    }

    /// What `text` stands for among `words`.
    pub(super) fn known<T: Copy>(&mut self, text: &str, field: &Field<'_>, words: &[(&str, T)]) -> Option<T> {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let remedy = match nearest(text, &known) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("use one of {}", known.join(", ")),
        };
        self.wrong(field, "not known", remedy);
        None
    }
}

impl<'d> Section<'d> {
    /// The whole document.
    pub(super) fn root(table: &'d DeTable<'d>) -> Self {
        Self { path: String::new(), span: 0..0, table }
    }

    pub(super) fn join(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn spanned(&self, name: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.table.get(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    pub(super) fn field(&self, name: &str) -> Option<Field<'d>> {
        let value = self.spanned(name)?;
        Some(Field { path: self.join(name), span: value.span(), value: value.get_ref() })
    }
}

/// An integer or a float.
pub(super) fn decimal(value: &DeValue<'_>) -> Option<f64> {
    if let Some(integer) = value.as_integer() {
        return i32::from_str_radix(integer.as_str(), integer.radix()).ok().map(f64::from);
    }
    value.as_float().and_then(|float| float.as_str().parse().ok()).filter(|float: &f64| float.is_finite())
}

fn article(value: &DeValue<'_>) -> String {
    let kind = value.type_str();
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// The known word that is at most two edits away (insert, delete, replace, swap neighbours).
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let limit = if word.chars().count() <= 3 { 1 } else { 2 };
    known
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(40).collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let known = ["width", "height", "fit", "position", "enlarge"];
        for (word, expected) in [
            ("widht", Some("width")),
            ("hieght", Some("height")),
            ("fti", Some("fit")),
            ("gravity", None),
            ("wid", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }
}
