//! From TOML to a [`Recipe`], or to every problem with it at once.
//!
//! Owns: the fields, their ranges, their defaults, and what they may not be
//! together. Refuses: a recipe with any problem at all.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::draft::Draft;
use super::footprint::Footprint;
use super::problem::Problems;
use super::reader::{Reader, Section};
use super::reference::names;
use super::{Format, KeyTemplate, Output, Processed, Recipe, Rule, Source, proof};
use crate::Limits;

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
    reader.unknown(&root, &["source", "processed", "limits", "defaults", "preset", "output", "rule"]);

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
    let looks = Looks::read(reader, &root);
    let mut outputs = looks.outputs(reader, &root, None);
    let rules = rules(reader, &root, &looks, &mut outputs);
    if outputs.is_empty() && reader.problems.is_empty() {
        let remedy = "add an [[output]] with a key, such as key = \"prints/{key}\"";
        reader.problem("output", &(0..0), "the recipe makes no print", remedy);
    }
    distinct(reader, &outputs);
    prove(reader, &source, &processed, &outputs);

    let outputs: Vec<Output> = outputs.into_iter().map(|(_, output)| output).collect();
    (!outputs.is_empty()).then_some(Recipe {
        source,
        processed,
        limits,
        rules,
        outputs,
        assets: BTreeMap::new(),
    })
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
    if let Some(megabytes) = reader.number(&section, "output_mb", 1..=2048, "MB") {
        limits.output_bytes = u64::from(megabytes) << 20;
    }
    if let Some(seconds) = reader.number(&section, "seconds", 1..=900, "seconds") {
        limits.seconds = seconds;
    }
    limits
}

/// What outputs share: `[defaults]` and the presets.
struct Looks<'d> {
    defaults: Draft,
    presets: Vec<(&'d str, Section<'d>)>,
}

impl<'d> Looks<'d> {
    fn read(reader: &mut Reader<'_>, root: &Section<'d>) -> Self {
        let shared: Vec<&str> =
            names("output").into_iter().filter(|name| !matches!(*name, "key" | "preset")).collect();
        let defaults = root.spanned("defaults").and_then(|value| reader.section("defaults", value, &shared));
        let defaults = match defaults {
            Some(section) => Draft::default().read(reader, &section),
            None => Draft::default(),
        };
        let mut presets = Vec::new();
        if let Some(field) = root.field("preset") {
            match field.value.as_table() {
                Some(table) => {
                    for (name, value) in table {
                        let name = name.get_ref().as_ref();
                        if let Some(section) = reader.section(&format!("preset.{name}"), value, &shared) {
                            // Read once for its problems, whether or not it is used.
                            let _ = Draft::default().read(reader, &section);
                            presets.push((name, section));
                        }
                    }
                }
                None => reader.wrong(&field, "not a table", "write [preset.card] above the preset's fields"),
            }
        }
        Self { defaults, presets }
    }

    /// The draft that the named presets make of the defaults. Their own
    /// problems have been reported.
    fn with_presets(&self, reader: &mut Reader<'_>, section: &Section<'_>) -> Draft {
        let mut draft = self.defaults.clone();
        let known: Vec<(&str, usize)> =
            self.presets.iter().enumerate().map(|(i, (name, _))| (*name, i)).collect();
        for (text, field) in reader.strings(section, "preset").unwrap_or_default() {
            if let Some(index) = reader.known(text, &field, &known) {
                let reported = reader.problems.len();
                draft = draft.read(reader, &self.presets[index].1);
                reader.problems.truncate(reported);
            }
        }
        draft
    }

    /// The outputs of the document, or of a rule.
    fn outputs(
        &self,
        reader: &mut Reader<'_>,
        parent: &Section<'_>,
        rule: Option<usize>,
    ) -> Vec<(Range<usize>, Output)> {
        let remedy = "add an [[output]] with a key, such as key = \"prints/{key}\"";
        let Some(field) = parent.field("output") else { return Vec::new() };
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
            .filter_map(|(index, value)| {
                self.output(reader, &format!("{}[{index}]", field.path), value, rule)
            })
            .collect()
    }

    fn output(
        &self,
        reader: &mut Reader<'_>,
        path: &str,
        value: &Spanned<DeValue<'_>>,
        rule: Option<usize>,
    ) -> Option<(Range<usize>, Output)> {
        let section = reader.section(path, value, &names("output"))?;
        let draft = self.with_presets(reader, &section).read(reader, &section);
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
        draft.check(reader, &section);
        let output = draft.finish(key, rule);
        if output.literal_prefix().starts_with(super::REPORT_PREFIX) {
            reader.wrong(
                &field,
                "lies under failures/, where failure reports are kept",
                "choose another prefix",
            );
            return None;
        }
        Some((field.span, output))
    }
}

/// `[[rule]]`s; their outputs are added to `outputs`.
fn rules(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    looks: &Looks<'_>,
    outputs: &mut Vec<(Range<usize>, Output)>,
) -> Vec<Rule> {
    let Some(field) = root.field("rule") else { return Vec::new() };
    let Some(array) = field.value.as_array() else {
        reader.wrong(
            &field,
            "one table where a list is expected",
            "write [[rule]] with two pairs of brackets",
        );
        return Vec::new();
    };
    let formats: Vec<(&str, Format)> = Format::ALL
        .into_iter()
        .filter(|format| format.is_read())
        .map(|format| (format.name(), format))
        .collect();
    let mut rules = Vec::new();
    for (index, value) in array.iter().enumerate() {
        let Some(section) = reader.section(&format!("rule[{index}]"), value, &names("rule")) else {
            continue;
        };
        let globs = reader.strings(&section, "match").unwrap_or_default();
        let types = reader.strings(&section, "type").unwrap_or_default();
        if globs.is_empty() && types.is_empty() {
            let remedy = "add match = \"avatars/**\" or type = \"svg\"";
            reader.problem(&section.path, &section.span, "a rule for every picture", remedy);
        }
        let rule = Rule {
            globs: globs.into_iter().map(|(glob, _)| glob.to_owned()).collect(),
            formats: types
                .into_iter()
                .filter_map(|(text, field)| reader.known(text, &field, &formats))
                .collect(),
        };
        rules.push(rule);
        if !section.has("output") {
            let remedy = "add [[rule.output]] with a key";
            reader.problem(&section.path, &section.span, "its pictures would get no print", remedy);
        }
        outputs.extend(looks.outputs(reader, &section, Some(index)));
    }
    rules
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
                && !outputs[later].1.is_sized_as(&outputs[*earlier].1);
            let same_rule = outputs[later].1.rule == outputs[*earlier].1.rule;
            same_rule && footprints[later] == footprints[*earlier] && !sizes
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
