//! An output before it is complete: the fields that `[defaults]`, `[preset.…]`
//! and `[[output]]` share, each set or not. What is set later wins.

use super::operations::{self, Switch};
use super::output::{
    Background, Colour, Extend, Flip, Length, Metadata, Output, Pixelate, Region, Resize, Sharpen, Trim,
    Watermark,
};
use super::reader::{Field, Reader, Section};
use super::{Format, FormatChoice, KeyTemplate, Quality};
use std::num::NonZeroU32;
use std::ops::Range;

/// An hour, as other resizers on object storage have it: a print keeps its key
/// when its source is overwritten, so it must not be called immutable unasked.
const CACHE_CONTROL: &str = "public, max-age=3600";

/// What `format = "auto"` chooses from, unless it is told: the formats that
/// every browser in use shows.
const CANDIDATES: [Format; 3] = [Format::Avif, Format::Webp, Format::Jpeg];

/// The score that `quality = "auto"` aims at: about libjpeg's 80.
const TARGET: f64 = 75.0;

/// What a recipe says of `quality` and `format`, as words.
#[derive(Clone, Copy, PartialEq)]
enum Goodness {
    Fixed(u8),
    Auto,
}

/// The fields, as far as they are set.
#[derive(Clone, Default)]
pub(super) struct Draft {
    trim: Option<Switch<Trim>>,
    crop: Option<Region>,
    rotate: Option<u8>,
    flip: Option<Flip>,
    resize: Option<Resize>,
    extend: Option<Extend>,
    pixelate: Option<(Pixelate, Option<Region>)>,
    blur: Option<f64>,
    sharpen: Option<Switch<Sharpen>>,
    grayscale: Option<bool>,
    rounded: Option<Length>,
    watermark: Option<Watermark>,
    format: Option<FormatChoice>,
    formats: Option<Vec<Format>>,
    quality: Option<Goodness>,
    target: Option<f64>,
    effort: Option<u8>,
    lossless: Option<bool>,
    colours: Option<u16>,
    frames: Option<NonZeroU32>,
    metadata: Option<Metadata>,
    colour: Option<Colour>,
    background: Option<Background>,
    cache_control: Option<String>,
}

impl Draft {
    /// This draft with what `section` sets.
    pub(super) fn read(mut self, reader: &mut Reader<'_>, section: &Section<'_>) -> Self {
        self.read_operations(reader, section);
        self.read_encoding(reader, section);
        let words = [("none", Metadata::None), ("copyright", Metadata::Copyright), ("all", Metadata::All)];
        set(&mut self.metadata, reader.word(section, "metadata", &words));
        set(
            &mut self.colour,
            reader.word(section, "colour", &[("srgb", Colour::Srgb), ("keep", Colour::Keep)]),
        );
        if let Some((text, field)) = reader.string(section, "background") {
            match colour(text) {
                Some(rgba) => self.background = Some(Background { rgba }),
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
                self.cache_control = Some(text.to_owned());
            }
        }
        self
    }

    fn read_operations(&mut self, reader: &mut Reader<'_>, section: &Section<'_>) {
        set(&mut self.trim, operations::trim(reader, section));
        let table = |name| section.spanned(name).map(|value| (section.join(name), value));
        if let Some((path, value)) = table("crop") {
            set(&mut self.crop, operations::region(reader, &path, value));
        }
        if let Some((path, value)) = table("resize") {
            set(&mut self.resize, operations::resize(reader, &path, value));
        }
        if let Some((path, value)) = table("pixelate") {
            set(&mut self.pixelate, operations::pixelate(reader, &path, value));
        }
        if let Some((path, value)) = table("watermark") {
            set(&mut self.watermark, operations::watermark(reader, &path, value));
        }
        set(&mut self.rotate, operations::rotate(reader, section));
        set(&mut self.flip, operations::flip(reader, section));
        set(&mut self.extend, operations::extend(reader, section));
        set(&mut self.blur, reader.decimal(section, "blur", 0.3..=1000.0, "pixels"));
        set(&mut self.sharpen, operations::sharpen(reader, section));
        set(&mut self.grayscale, reader.boolean(section, "grayscale"));
        set(&mut self.rounded, operations::rounded(reader, section));
    }

    fn read_encoding(&mut self, reader: &mut Reader<'_>, section: &Section<'_>) {
        set(&mut self.format, format(reader, section));
        set(&mut self.formats, formats(reader, section));
        let auto = section.field("quality").is_some_and(|field| field.value.as_str() == Some("auto"));
        if auto {
            self.quality = Some(Goodness::Auto);
        } else {
            let number = reader.number(section, "quality", 1..=100, "").map(|q| Goodness::Fixed(q as u8));
            set(&mut self.quality, number);
        }
        set(&mut self.target, reader.decimal(section, "target", 30.0..=100.0, "SSIMULACRA2"));
        set(&mut self.effort, reader.number(section, "effort", 0..=9, "").map(|effort| effort as u8));
        set(&mut self.lossless, reader.boolean(section, "lossless"));
        let colours = reader.number(section, "colours", 2..=256, "colours");
        set(&mut self.colours, colours.map(|colours| colours as u16));
        let frames = reader.number(section, "frames", 1..=10_000, "frames");
        set(&mut self.frames, frames.and_then(NonZeroU32::new));
    }

    /// Reports what the fields may not be together.
    pub(super) fn check(&self, reader: &mut Reader<'_>, section: &Section<'_>) {
        let chosen = matches!(self.format, Some(FormatChoice::Auto(_)));
        // Fewer candidates would be another recipe, with another digest, in this build only.
        if let Some(missing) = CANDIDATES.into_iter().find(|format| !format.in_build())
            && chosen
            && self.formats.is_none()
        {
            let remedy = "say what it chooses from: formats = [\"webp\", \"jpeg\"]";
            reader.problem(&section.join("format"), &span(section, "format"), left_out(missing), remedy);
        }
        let mut complain = |name: &str, what: &str, remedy: &str| {
            if section.has(name) {
                reader.problem(&section.join(name), &span(section, name), what, remedy);
            }
        };
        if !chosen {
            complain("formats", "without format = \"auto\"", "add format = \"auto\", or leave formats out");
        }
        if let (Some(true), Some(FormatChoice::Fixed(format))) = (self.lossless, &self.format)
            && !matches!(format, Format::Webp | Format::Jxl | Format::Png)
        {
            complain("lossless", "this format always loses something", "use \"webp\", \"jxl\" or \"png\"");
        }
        if matches!((chosen, self.quality), (true, Some(Goodness::Fixed(_)))) {
            let what = "a number means something else in each format";
            complain("quality", what, "with format = \"auto\" set target instead: a score, such as 75");
        }
        if !chosen && self.quality != Some(Goodness::Auto) {
            complain("target", "without quality = \"auto\"", "add quality = \"auto\", or leave target out");
        }
    }

    /// The output, with the defaults of the product for what is not set.
    pub(super) fn finish(self, key: KeyTemplate, rule: Option<usize>) -> Output {
        let format = match (self.format.unwrap_or(FormatChoice::Source), self.formats) {
            (FormatChoice::Auto(_), Some(formats)) => FormatChoice::Auto(formats),
            (format, _) => format,
        };
        let chosen = matches!(format, FormatChoice::Auto(_));
        let quality = match self.quality {
            Some(Goodness::Fixed(quality)) if !chosen => Quality::Fixed(quality),
            None if !chosen => Quality::Fixed(80),
            _ => Quality::Auto { target: self.target.unwrap_or(TARGET) },
        };
        Output {
            key,
            rule,
            trim: self.trim.and_then(Switch::on),
            crop: self.crop,
            rotate: self.rotate.unwrap_or(0),
            flip: self.flip.unwrap_or_default(),
            resize: self.resize,
            extend: self.extend,
            pixelate: self.pixelate.map(|(pixelate, _)| pixelate),
            region: self.pixelate.and_then(|(_, region)| region),
            blur: self.blur,
            sharpen: self.sharpen.and_then(Switch::on),
            grayscale: self.grayscale.unwrap_or(false),
            rounded: self.rounded,
            watermark: self.watermark,
            format,
            quality,
            effort: self.effort,
            lossless: self.lossless.unwrap_or(false),
            colours: self.colours,
            frames: self.frames.unwrap_or(NonZeroU32::MAX),
            metadata: self.metadata.unwrap_or(Metadata::Copyright),
            colour: self.colour.unwrap_or(Colour::Srgb),
            background: self.background.unwrap_or(Background { rgba: [255; 4] }),
            cache_control: self.cache_control.unwrap_or_else(|| CACHE_CONTROL.to_owned()),
        }
    }
}

fn set<T>(field: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *field = value;
    }
}

fn written() -> impl Iterator<Item = (&'static str, Format)> {
    let written = Format::ALL.into_iter().filter(|format| format.is_written());
    written.map(|format| (format.name(), format)).chain([("jpg", Format::Jpeg)])
}

fn format(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<FormatChoice> {
    let (text, field) = reader.string(section, "format")?;
    match text {
        "source" => return Some(FormatChoice::Source),
        "auto" => return Some(FormatChoice::Auto(CANDIDATES.to_vec())),
        "manifest" => return Some(FormatChoice::Manifest),
        "placeholder" => return Some(FormatChoice::Placeholder),
        "heic" | "tiff" | "bmp" | "ico" | "qoi" | "svg" => {
            reader.wrong(
                &field,
                format!("{text} is read but not written"),
                "use \"webp\" for small files or \"png\" for exact ones",
            );
            return None;
        }
        _ => {}
    }
    let words: Vec<(&str, Format)> = written().collect();
    let more = [("source", Format::Json), ("auto", Format::Json), ("manifest", Format::Json)];
    // Listed for the remedy only: they have been dealt with.
    let all: Vec<(&str, Format)> =
        words.into_iter().chain(more).chain([("placeholder", Format::Json)]).collect();
    let format = reader.known(text, &field, &all)?;
    in_build(reader, &field, format).then_some(FormatChoice::Fixed(format))
}

/// What is said of a format that is not [`Format::in_build`].
fn left_out(format: Format) -> String {
    format!("this build of minilab leaves {} out", format.title())
}

/// Where the field stands, or its section if that is without it.
fn span(section: &Section<'_>, name: &str) -> Range<usize> {
    section.field(name).map_or_else(|| section.span.clone(), |field| field.span)
}

/// Whether this build writes `format`; if not, that is reported.
fn in_build(reader: &mut Reader<'_>, field: &Field<'_>, format: Format) -> bool {
    if !format.in_build() {
        let name = format.name();
        let remedy = format!("use \"webp\", or a build with the cargo feature \"{name}\"");
        reader.wrong(field, left_out(format), remedy);
    }
    format.in_build()
}

fn formats(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Vec<Format>> {
    let words: Vec<(&str, Format)> = written().collect();
    let mut formats = Vec::new();
    for (text, field) in reader.strings(section, "formats")? {
        if let Some(format) = reader.known(text, &field, &words)
            && in_build(reader, &field, format)
            && !formats.contains(&format)
        {
            formats.push(format);
        }
    }
    (!formats.is_empty()).then_some(formats)
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
