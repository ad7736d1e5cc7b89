//! From TOML to a [`Recipe`], or to every problem with it at once.
//!
//! Owns: the fields, their ranges, their defaults, and what they may not be
//! together. Refuses: a recipe with any problem at all.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;

use serde::Serialize;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::Footprint;
use super::reader::{Reader, Section};
use super::reference::names;
use super::{
    Background, Fit, Format, FormatChoice, KeyTemplate, Metadata, Output, Pixelate, Place, Position,
    Processed, Recipe, Resize, Source, proof,
};
use crate::Limits;

/// One thing that is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Path of the field, such as `output[0].resize.width`; empty where the
    /// text is not TOML at all.
    pub field: String,
    /// The text found there; empty where something is missing.
    pub value: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match (self.field.is_empty(), self.value.is_empty() || self.what == "unknown field") {
            (true, _) => {}
            (false, true) => write!(f, "{}: ", self.field)?,
            (false, false) => write!(f, "{} = {}: ", self.field, self.value)?,
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// Everything that is wrong with a recipe; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// An hour, as other resizers on object storage have it: a print keeps its key
/// when its source is overwritten, so it must not be called immutable unasked.
const CACHE_CONTROL: &str = "public, max-age=3600";

impl Recipe {
    /// Parses and checks a recipe. The result is complete: defaults are filled
    /// in and the loop proof holds.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let mut reader = Reader::new(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let remedy = "see the TOML specification, or compare with an example recipe";
            reader.problem("", &error.span().unwrap_or(0..0), error.message().replace('\n', ", "), remedy);
        }
        if !errors.is_empty() {
            return Err(Problems(reader.problems));
        }
        let recipe = recipe(&mut reader, document.get_ref());
        match recipe {
            Some(recipe) if reader.problems.is_empty() => Ok(recipe),
            _ => {
                reader.problems.sort_by_key(|problem| problem.line);
                Err(Problems(reader.problems))
            }
        }
    }

    /// What is allowed and yet likely to surprise, in words for people.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .outputs
            .iter()
            .filter_map(|output| {
                output.key.confuses().map(|why| format!("output {:?}: {why}", output.key.as_str()))
            })
            .collect();
        for output in &self.outputs {
            if output.cache_control.contains("immutable") {
                warnings.push(format!(
                    "output {:?}: cache_control says immutable, but a print keeps its key when its source is overwritten",
                    output.key.as_str()
                ));
            }
        }
        warnings
    }
}

fn recipe(reader: &mut Reader<'_>, document: &DeTable<'_>) -> Option<Recipe> {
    let root = Section::root(document);
    reader.unknown(&root, &["source", "processed", "limits", "defaults", "output"]);

    let source = root.spanned("source").and_then(|value| reader.section("source", value, &names("source")));
    let processed =
        root.spanned("processed").and_then(|value| reader.section("processed", value, &names("processed")));
    let source_bucket = source.as_ref().and_then(|section| bucket(reader, section));
    let processed_bucket = processed.as_ref().and_then(|section| bucket(reader, section));
    let prefix = source.as_ref().and_then(|section| prefix(reader, section));
    let source_bucket = source_bucket.unwrap_or_else(|| "minilab-source".to_owned());
    let processed_bucket = processed_bucket.unwrap_or_else(|| {
        format!("{}-processed", source_bucket.strip_suffix("-source").unwrap_or(&source_bucket))
    });
    let source = Source { bucket: source_bucket, prefix: prefix.unwrap_or_default() };
    let processed = Processed { bucket: processed_bucket };

    let limits = limits(reader, &root);
    let defaults =
        root.spanned("defaults").and_then(|value| reader.section("defaults", value, &names("defaults")));
    let defaults = Look::default().read(reader, defaults.as_ref());
    let outputs = outputs(reader, &root, &defaults);
    distinct(reader, &outputs);
    prove(reader, &source, &processed, &outputs);

    let outputs: Vec<Output> = outputs.into_iter().map(|(_, output)| output).collect();
    (!outputs.is_empty()).then_some(Recipe { source, processed, limits, outputs })
}

/// Amazon S3 User Guide, "General purpose bucket naming rules".
fn bucket(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
    let (name, field) = reader.string(section, "bucket")?;
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    let valid = (3..=63).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if valid {
        return Some(name.to_owned());
    }
    reader.wrong(
        &field,
        "not a bucket name",
        "use 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends",
    );
    None
}

fn prefix(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
    let (prefix, field) = reader.string(section, "prefix")?;
    if prefix.len() > super::LONGEST_KEY {
        reader.wrong(&field, "longer than any key", "use at most 1024 bytes");
        return None;
    }
    if prefix.starts_with('/') {
        reader.wrong(
            &field,
            "starts with a slash, which no upload tool puts before a key",
            format!("write {:?}", prefix.trim_start_matches('/')),
        );
        return None;
    }
    Some(prefix.to_owned())
}

fn limits(reader: &mut Reader<'_>, root: &Section<'_>) -> Limits {
    let mut limits = Limits::default();
    let Some(section) =
        root.spanned("limits").and_then(|value| reader.section("limits", value, &names("limits")))
    else {
        return limits;
    };
    if let Some(megabytes) = reader.number(&section, "input_mb", 1..=2048, "MB") {
        limits.input_bytes = u64::from(megabytes) << 20;
    }
    if let Some(megapixels) = reader.number(&section, "megapixels", 1..=2000, "megapixels") {
        limits.pixels = u64::from(megapixels) * 1_000_000;
    }
    if let Some(side) = reader.number(&section, "side", 1..=65_535, "pixels") {
        limits.side = side;
    }
    if let Some(frames) = reader.number(&section, "frames", 1..=10_000, "frames") {
        limits.frames = frames;
    }
    if let Some(megabytes) = reader.number(&section, "memory_mb", 64..=10_240, "MB") {
        limits.memory = u64::from(megabytes) << 20;
    }
    limits
}

/// The fields that `[defaults]` and every output share.
#[derive(Clone)]
struct Look {
    format: FormatChoice,
    quality: u8,
    metadata: Metadata,
    background: Background,
    cache_control: String,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            format: FormatChoice::Source,
            quality: 80,
            metadata: Metadata::Copyright,
            background: Background { rgba: [255; 4] },
            cache_control: CACHE_CONTROL.to_owned(),
        }
    }
}

impl Look {
    fn read(mut self, reader: &mut Reader<'_>, section: Option<&Section<'_>>) -> Self {
        let Some(section) = section else { return self };
        if let Some(format) = format(reader, section) {
            self.format = format;
        }
        if let Some(quality) = reader.number(section, "quality", 1..=100, "") {
            self.quality = quality as u8;
        }
        let words = [("none", Metadata::None), ("copyright", Metadata::Copyright), ("all", Metadata::All)];
        if let Some(metadata) = reader.word(section, "metadata", &words) {
            self.metadata = metadata;
        }
        if let Some((text, field)) = reader.string(section, "background") {
            match colour(text) {
                Some(rgba) => self.background = Background { rgba },
                None => reader.wrong(
                    &field,
                    "not a colour",
                    "write \"#rrggbb\", \"#rrggbbaa\", \"white\", \"black\" or \"transparent\"",
                ),
            }
        }
        if let Some((text, field)) = reader.string(section, "cache_control") {
            if text.is_empty() || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                reader.wrong(
                    &field,
                    "not a header value",
                    "write visible ASCII such as \"public, max-age=3600\"",
                );
            } else {
                text.clone_into(&mut self.cache_control);
            }
        }
        self
    }
}

fn format(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<FormatChoice> {
    if let Some(field) = section.field("format")
        && let Some(text @ ("avif" | "jxl" | "heic" | "tiff")) = field.value.as_str()
    {
        reader.wrong(
            &field,
            format!("{text} is not written yet"),
            "use \"webp\" for small files or \"png\" for exact ones",
        );
        return None;
    }
    let mut words = vec![("source", FormatChoice::Source), ("jpg", FormatChoice::Fixed(Format::Jpeg))];
    words.extend(Format::ALL.map(|format| (format.name(), FormatChoice::Fixed(format))));
    reader.word(section, "format", &words)
}

fn colour(text: &str) -> Option<[u8; 4]> {
    match text {
        "white" => return Some([255; 4]),
        "black" => return Some([0, 0, 0, 255]),
        "transparent" => return Some([0; 4]),
        _ => {}
    }
    let digits =
        text.strip_prefix('#').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let full = match digits.len() {
        3 | 4 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        6 | 8 => digits.to_owned(),
        _ => return None,
    };
    let full = if full.len() == 6 { full + "ff" } else { full };
    Some(u32::from_str_radix(&full, 16).ok()?.to_be_bytes())
}

fn outputs(reader: &mut Reader<'_>, root: &Section<'_>, defaults: &Look) -> Vec<(Range<usize>, Output)> {
    let remedy = "add an [[output]] with a key, such as key = \"prints/{key}\"";
    let Some(field) = root.field("output") else {
        reader.problem("output", &(0..0), "the recipe makes no print", remedy);
        return Vec::new();
    };
    let Some(array) = field.value.as_array() else {
        reader.wrong(
            &field,
            "one table where a list is expected",
            "write [[output]] with two pairs of brackets",
        );
        return Vec::new();
    };
    if array.is_empty() {
        reader.wrong(&field, "the recipe makes no print", remedy);
    }
    array
        .iter()
        .enumerate()
        .filter_map(|(index, value)| output(reader, &format!("output[{index}]"), value, defaults))
        .collect()
}

fn output<'d>(
    reader: &mut Reader<'_>,
    path: &str,
    value: &'d Spanned<DeValue<'d>>,
    defaults: &Look,
) -> Option<(Range<usize>, Output)> {
    let section = reader.section(path, value, &names("output"))?;
    let look = defaults.clone().read(reader, Some(&section));
    let resize = section.spanned("resize").and_then(|value| resize(reader, &section.join("resize"), value));
    let pixelate =
        section.spanned("pixelate").and_then(|value| pixelate(reader, &section.join("pixelate"), value));
    if !section.has("key") {
        let key = section.join("key");
        reader.problem(
            &key,
            &(section.span.start..section.span.start),
            "missing",
            "add key = \"prints/{key}\"",
        );
    }
    let (text, field) = reader.string(&section, "key")?;
    let key = match KeyTemplate::parse(text) {
        Ok(key) => key,
        Err(what) => {
            let (what, remedy) =
                what.split_once("; ").unwrap_or((&what, "see the key templates in the README"));
            reader.wrong(&field, what, remedy);
            return None;
        }
    };
    let output = Output {
        key,
        resize,
        pixelate,
        format: look.format,
        quality: look.quality,
        metadata: look.metadata,
        background: look.background,
        cache_control: look.cache_control,
    };
    if output.literal_prefix().starts_with(super::REPORT_PREFIX) {
        reader.wrong(&field, "lies under failures/, where failure reports are kept", "choose another prefix");
        return None;
    }
    Some((field.span, output))
}

fn resize<'d>(reader: &mut Reader<'_>, path: &str, value: &'d Spanned<DeValue<'d>>) -> Option<Resize> {
    let section = reader.section(path, value, &names("resize"))?;
    let width = reader.number(&section, "width", 1..=16_383, "pixels").and_then(NonZeroU32::new);
    let height = reader.number(&section, "height", 1..=16_383, "pixels").and_then(NonZeroU32::new);
    let fits = [
        ("cover", Fit::Cover),
        ("contain", Fit::Contain),
        ("fill", Fit::Fill),
        ("inside", Fit::Inside),
        ("outside", Fit::Outside),
        ("scale-down", Fit::Inside),
    ];
    let fit = reader.word(&section, "fit", &fits).unwrap_or(Fit::Inside);
    let position = position(reader, &section);
    let enlarge = reader.boolean(&section, "enlarge").unwrap_or(false);
    if !section.has("width") && !section.has("height") {
        reader.problem(path, &section.span, "neither width nor height", "add width = 1280, or height");
        return None;
    }
    Some(Resize { width, height, fit, position, enlarge })
}

/// CSS's two words in either order, sharp's compass, with a space or a hyphen.
fn position(reader: &mut Reader<'_>, section: &Section<'_>) -> Position {
    let center = Position { x: Place::Center, y: Place::Center };
    let Some((text, field)) = reader.string(section, "position") else { return center };
    let (mut x, mut y) = (None, None);
    let words = match text {
        "north" => "top",
        "south" => "bottom",
        "east" => "right",
        "west" => "left",
        "northeast" => "top right",
        "northwest" => "top left",
        "southeast" => "bottom right",
        "southwest" => "bottom left",
        "centre" => "center",
        other => other,
    };
    let mut known = !words.is_empty();
    for word in words.split([' ', '-']) {
        let twice = match word {
            "left" => x.replace(Place::Start).is_some(),
            "right" => x.replace(Place::End).is_some(),
            "top" => y.replace(Place::Start).is_some(),
            "bottom" => y.replace(Place::End).is_some(),
            "center" | "centre" => false,
            _ => true,
        };
        known &= !twice;
    }
    if known {
        return Position { x: x.unwrap_or(Place::Center), y: y.unwrap_or(Place::Center) };
    }
    reader.wrong(
        &field,
        "not a position",
        "use center, top, bottom, left, right, or two of them such as \"top left\"",
    );
    center
}

fn pixelate<'d>(reader: &mut Reader<'_>, path: &str, value: &'d Spanned<DeValue<'d>>) -> Option<Pixelate> {
    let section = reader.section(path, value, &names("pixelate"))?;
    let cells = reader.number(&section, "cells", 1..=4096, "cells per side").and_then(NonZeroU32::new);
    let block = reader.number(&section, "block", 1..=16_383, "pixels").and_then(NonZeroU32::new);
    match (section.has("cells"), section.has("block")) {
        (true, false) => cells.map(Pixelate::Cells),
        (false, true) => block.map(Pixelate::Block),
        (both, _) => {
            let what = if both { "both cells and block" } else { "neither cells nor block" };
            reader.problem(
                path,
                &section.span,
                what,
                "write { cells = 8 } for 8 cells per side or { block = 12 } for cells of 12 pixels",
            );
            None
        }
    }
}

/// Two outputs whose keys are the same for every picture; those that meet only
/// for some pictures are found when the picture is there.
fn distinct(reader: &mut Reader<'_>, outputs: &[(Range<usize>, Output)]) {
    // A source key with a folder, a stem and an extension that nobody else has.
    let probe = "\u{1}/\u{2}.\u{3}";
    let footprints: Vec<Footprint> = outputs.iter().map(|(_, output)| output.footprint(probe)).collect();
    for later in 0..footprints.len() {
        if let Some(earlier) = (0..later).find(|earlier| {
            // Prints of different sizes may share a template with {width} in it.
            let sizes = matches!(&footprints[later], Footprint::Listed { .. })
                && outputs[later].1.resize != outputs[*earlier].1.resize;
            footprints[later] == footprints[*earlier] && !sizes
        }) {
            let what = format!("output[{earlier}] has the same key");
            let span = outputs[later].0.clone();
            reader.problem(&format!("output[{later}].key"), &span, what, "give each print a key of its own");
        }
    }
}

fn prove(
    reader: &mut Reader<'_>,
    source: &Source,
    processed: &Processed,
    outputs: &[(Range<usize>, Output)],
) {
    for (index, (span, output)) in outputs.iter().enumerate() {
        if proof::output(source, processed, output).is_none() {
            let what = format!(
                "prints could trigger the function again: they go to {}, which triggers on keys that start with {:?}",
                processed.bucket, source.prefix
            );
            let remedy = if source.prefix.is_empty() {
                "use another bucket for [processed], or set source.prefix and begin this key with another prefix"
            } else {
                "use another bucket for [processed], or begin this key with another prefix, such as \"prints/{key}\""
            };
            reader.problem(&format!("output[{index}].key"), span, what, remedy);
        }
    }
    if !outputs.is_empty() && proof::reports(source, processed).is_none() && !source.prefix.is_empty() {
        reader.problem(
            "source.prefix",
            &(0..0),
            format!(
                "failure reports under failures/ could trigger the function: the prefix is {:?}",
                source.prefix
            ),
            "use another bucket for [processed] or another prefix",
        );
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
