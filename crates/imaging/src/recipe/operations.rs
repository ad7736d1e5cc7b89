//! Reading what an output does to the pixels, one function a field.

use super::Place;
use super::output::{
    Asset, Extend, Fit, Flip, Length, Pixelate, Position, Region, Resize, Sharpen, Trim, Watermark,
};
use super::reader::{Field, Reader, Section, decimal};
use super::reference::names;
use std::num::NonZeroU32;
use toml::Spanned;
use toml::de::DeValue;

/// An operation that may be switched off where a preset switches it on.
#[derive(Clone, Copy)]
pub(super) enum Switch<T> {
    Off,
    On(T),
}

impl<T> Switch<T> {
    pub(super) fn on(self) -> Option<T> {
        match self {
            Self::Off => None,
            Self::On(value) => Some(value),
        }
    }
}

pub(super) fn resize<'d>(
    reader: &mut Reader<'_>,
    path: &str,
    value: &'d Spanned<DeValue<'d>>,
) -> Option<Resize> {
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
    let linear = reader.boolean(&section, "linear").unwrap_or(false);
    if position == Position::Attention && fit != Fit::Cover {
        reader.problem(
            path,
            &section.span,
            "position = \"attention\" without a crop",
            "add fit = \"cover\" with width and height, or take another position",
        );
    }
    if !section.has("width") && !section.has("height") {
        reader.problem(path, &section.span, "neither width nor height", "add width = 1280, or height");
        return None;
    }
    Some(Resize { width, height, fit, position, enlarge, linear })
}

/// CSS's two words in either order, sharp's compass, with a space or a hyphen.
fn position(reader: &mut Reader<'_>, section: &Section<'_>) -> Position {
    let Some((text, field)) = reader.string(section, "position") else { return Position::CENTER };
    let (mut x, mut y) = (None, None);
    let words = match text {
        "attention" => return Position::Attention,
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
        return Position::At { x: x.unwrap_or(Place::Center), y: y.unwrap_or(Place::Center) };
    }
    reader.wrong(
        &field,
        "not a position",
        "use center, top, bottom, left, right, two of them such as \"top left\", or attention",
    );
    Position::CENTER
}

pub(super) fn pixelate<'d>(
    reader: &mut Reader<'_>,
    path: &str,
    value: &'d Spanned<DeValue<'d>>,
) -> Option<(Pixelate, Option<Region>)> {
    let section = reader.section(path, value, &names("pixelate"))?;
    let cells = reader.number(&section, "cells", 1..=4096, "cells per side").and_then(NonZeroU32::new);
    let block = reader.number(&section, "block", 1..=16_383, "pixels").and_then(NonZeroU32::new);
    let region = section.spanned("region").and_then(|value| region(reader, &section.join("region"), value));
    match (section.has("cells"), section.has("block")) {
        (true, false) => cells.map(|cells| (Pixelate::Cells(cells), region)),
        (false, true) => block.map(|block| (Pixelate::Block(block), region)),
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

/// `20` is pixels, `"20%"` percent.
fn length(reader: &mut Reader<'_>, section: &Section<'_>, name: &str) -> Option<Length> {
    let field = section.field(name)?;
    let read = match field.value.as_str() {
        Some(text) => text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(Length::Percent),
        None => decimal(field.value)
            .filter(|pixels| (0.0..=65_535.0).contains(pixels) && pixels.fract() == 0.0)
            .map(|pixels| Length::Pixels(pixels as u32)),
    };
    if read.is_none() {
        reader.wrong(&field, "not a length", "write pixels such as 20, or percent such as \"20%\"");
    }
    read
}

pub(super) fn region<'d>(
    reader: &mut Reader<'_>,
    path: &str,
    value: &'d Spanned<DeValue<'d>>,
) -> Option<Region> {
    let section = reader.section(path, value, &names("region"))?;
    let zero = Length::Pixels(0);
    Some(Region {
        left: length(reader, &section, "left").unwrap_or(zero),
        top: length(reader, &section, "top").unwrap_or(zero),
        width: length(reader, &section, "width"),
        height: length(reader, &section, "height"),
    })
}

/// One length for all sides, or a table with a length for each.
pub(super) fn extend(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Extend> {
    let field = section.field("extend")?;
    if field.value.as_table().is_none() {
        let all = length(reader, section, "extend")?;
        return Some(Extend { top: all, right: all, bottom: all, left: all });
    }
    let section = reader.section(&field.path, section.spanned("extend")?, &names("extend"))?;
    let mut side = |name| length(reader, &section, name).unwrap_or(Length::Pixels(0));
    Some(Extend { top: side("top"), right: side("right"), bottom: side("bottom"), left: side("left") })
}

/// `true`, or a table with a threshold. libvips' and sharp's threshold is 10.
pub(super) fn trim(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Switch<Trim>> {
    let field = section.field("trim")?;
    if let Some(wanted) = field.value.as_bool() {
        return Some(if wanted { Switch::On(Trim { threshold: 10 }) } else { Switch::Off });
    }
    let section = reader.section(&field.path, section.spanned("trim")?, &names("trim"))?;
    let threshold = reader.number(&section, "threshold", 0..=255, "255").unwrap_or(10) as u8;
    Some(Switch::On(Trim { threshold }))
}

/// `true`, or a table.
pub(super) fn sharpen(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Switch<Sharpen>> {
    let field = section.field("sharpen")?;
    let usual = Sharpen { sigma: 1.0, amount: 1.0, threshold: 0 };
    if let Some(wanted) = field.value.as_bool() {
        return Some(if wanted { Switch::On(usual) } else { Switch::Off });
    }
    let section = reader.section(&field.path, section.spanned("sharpen")?, &names("sharpen"))?;
    Some(Switch::On(Sharpen {
        sigma: reader.decimal(&section, "sigma", 0.3..=10.0, "pixels").unwrap_or(usual.sigma),
        amount: reader.decimal(&section, "amount", 0.0..=10.0, "").unwrap_or(usual.amount),
        threshold: reader.number(&section, "threshold", 0..=255, "255").unwrap_or(0) as u8,
    }))
}

/// Degrees clockwise, as quarter turns.
pub(super) fn rotate(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<u8> {
    let field = section.field("rotate")?;
    match decimal(field.value) {
        Some(degrees) if degrees % 90.0 == 0.0 && degrees.abs() <= 360.0 => {
            Some(((degrees / 90.0) as i32).rem_euclid(4) as u8)
        }
        _ => {
            reader.wrong(&field, "not a quarter turn", "write 90, 180 or 270: degrees clockwise");
            None
        }
    }
}

pub(super) fn flip(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Flip> {
    let words = [
        ("none", Flip { x: false, y: false }),
        ("horizontal", Flip { x: true, y: false }),
        ("vertical", Flip { x: false, y: true }),
        ("both", Flip { x: true, y: true }),
    ];
    reader.word(section, "flip", &words)
}

pub(super) fn rounded(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Length> {
    length(reader, section, "rounded")
}

pub(super) fn watermark<'d>(
    reader: &mut Reader<'_>,
    path: &str,
    value: &'d Spanned<DeValue<'d>>,
) -> Option<Watermark> {
    let section = reader.section(path, value, &names("watermark"))?;
    if !section.has("image") {
        reader.problem(path, &section.span, "no image", "add image = \"logo.png\", a file beside the recipe");
    }
    let image = reader.string(&section, "image").and_then(|(text, field)| asset(reader, text, &field));
    let position = if section.has("position") {
        position(reader, &section)
    } else {
        Position::At { x: Place::End, y: Place::End }
    };
    if position == Position::Attention {
        reader.problem(
            path,
            &section.span,
            "a watermark draws no attention",
            "take one of the nine positions",
        );
    }
    let margin = reader.number(&section, "margin", 0..=16_383, "pixels").unwrap_or(0);
    let opacity = reader.decimal(&section, "opacity", 0.0..=1.0, "").unwrap_or(1.0);
    let scale = reader.decimal(&section, "scale", 0.001..=1.0, "the print's width");
    let tile = reader.boolean(&section, "tile").unwrap_or(false);
    Some(Watermark { image: image?, position, margin, opacity, scale, tile })
}

fn asset(reader: &mut Reader<'_>, text: &str, field: &Field<'_>) -> Option<Asset> {
    let asset = match text.strip_prefix("processed:") {
        Some(key) if !key.is_empty() && key.len() <= super::LONGEST_KEY => {
            Some(Asset::Object(key.to_owned()))
        }
        Some(_) => None,
        // Neither absolute nor upwards: the folder is all that is deployed.
        None => (!text.is_empty() && !text.starts_with('/') && !text.split('/').any(|part| part == ".."))
            .then(|| Asset::File(text.to_owned())),
    };
    if asset.is_none() {
        reader.wrong(
            field,
            "not a picture's place",
            "write a file in the recipe's folder, \"logo.png\", or a key of the processed bucket, \"processed:logo.png\"",
        );
    }
    asset
}
