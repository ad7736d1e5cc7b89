//! What recipes mean, and what is said of bad ones.

use super::*;
use crate::recipe::{Extend, Fit, FormatChoice, Length, Metadata, Place, Position, Quality};

fn one(fields: &str) -> Output {
    Recipe::parse(&format!("[[output]]\nkey = \"p/{{key}}\"\n{fields}\n")).unwrap().outputs.remove(0)
}

fn problems(text: &str) -> Vec<String> {
    Recipe::parse(text).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn an_output_has_the_documented_defaults() {
    let output = one("");
    assert_eq!(output.format, FormatChoice::Source);
    assert_eq!(output.quality, Quality::Fixed(80));
    assert_eq!(output.metadata, Metadata::Copyright);
    assert_eq!(output.cache_control, "public, max-age=3600");
    let resize = one("resize = { width = 10 }").resize.unwrap();
    assert_eq!((resize.fit, resize.enlarge), (Fit::Inside, false));
    assert_eq!(resize.position, Position::CENTER);
}

#[test]
fn an_output_overrides_the_defaults() {
    let recipe = Recipe::parse(
        "[defaults]\nquality = 60\nmetadata = \"none\"\nformat = \"png\"\n\
         [[output]]\nkey = \"a/{key}\"\n[[output]]\nkey = \"b/{key}\"\nquality = 70\nformat = \"webp\"\n",
    )
    .unwrap();
    assert_eq!(recipe.outputs[0].quality, Quality::Fixed(60));
    assert_eq!(recipe.outputs[1].quality, Quality::Fixed(70));
    assert_eq!(recipe.outputs[1].metadata, Metadata::None);
    assert_eq!(recipe.outputs[0].format, FormatChoice::Fixed(Format::Png));
}

#[test]
fn buckets_default_to_a_pair_of_names() {
    for (source, processed) in [("photos-source", "photos-processed"), ("photos", "photos-processed")] {
        let text = format!("[source]\nbucket = \"{source}\"\n[[output]]\nkey = \"{{key}}\"\n");
        assert_eq!(Recipe::parse(&text).unwrap().processed.bucket, processed);
    }
}

#[test]
fn padding_is_one_length_or_one_for_each_side() {
    let (none, twenty, part) = (Length::Pixels(0), Length::Pixels(20), Length::Percent(5.0));
    for (text, [top, right, bottom, left]) in [
        ("20", [twenty; 4]),
        ("\"5%\"", [part; 4]),
        ("{ top = 20 }", [twenty, none, none, none]),
        ("{ top = 20, right = \"5%\", bottom = 20, left = \"5%\" }", [twenty, part, twenty, part]),
    ] {
        let extend = one(&format!("extend = {text}")).extend;
        assert_eq!(extend, Some(Extend { top, right, bottom, left }), "{text}");
    }
    for (text, said) in [
        ("true", "write pixels such as 20, or percent such as \"20%\""),
        ("-1", "not a length"),
        ("\"101%\"", "not a length"),
        ("{ up = 20 }", "up"),
        ("{ left = \"wide\" }", "extend.left"),
    ] {
        let problems = problems(&format!("[[output]]\nkey = \"p/{{key}}\"\nextend = {text}\n"));
        assert!(problems.len() == 1 && problems[0].contains(said), "{text}: {problems:?}");
    }
}

#[test]
fn prints_that_differ_in_their_padding_may_share_a_template_with_sizes() {
    let text = "[[output]]\nkey = \"p/{key}-{width}\"\n[[output]]\nkey = \"p/{key}-{width}\"\n";
    assert!(problems(text)[0].contains("has the same key"));
    assert!(Recipe::parse(&(text.to_owned() + "extend = 5\n")).is_ok());
}

#[test]
fn positions_are_css_or_compass() {
    for (text, x, y) in [
        ("top left", Place::Start, Place::Start),
        ("left top", Place::Start, Place::Start),
        ("bottom-right", Place::End, Place::End),
        ("north", Place::Center, Place::Start),
        ("southwest", Place::Start, Place::End),
        ("centre", Place::Center, Place::Center),
        ("center left", Place::Start, Place::Center),
    ] {
        let resize = one(&format!("resize = {{ width = 1, position = \"{text}\" }}")).resize.unwrap();
        assert_eq!(resize.position, Position::At { x, y }, "{text}");
    }
}

#[test]
fn colours_are_hexadecimal_or_named() {
    for (text, rgba) in [
        ("#102030", [16, 32, 48, 255]),
        ("#10203040", [16, 32, 48, 64]),
        ("#fff", [255; 4]),
        ("#f008", [255, 0, 0, 136]),
        ("black", [0, 0, 0, 255]),
        ("transparent", [0; 4]),
    ] {
        assert_eq!(one(&format!("background = \"{text}\"")).background.rgba, rgba, "{text}");
    }
}

#[test]
fn prints_of_several_sizes_may_share_a_template() {
    let text = "[[output]]\nkey = \"{dir}{stem}_{width}x{height}.{ext}\"\nresize = { width = 100 }\n\
                [[output]]\nkey = \"{dir}{stem}_{width}x{height}.{ext}\"\nresize = { width = 200 }\n";
    assert!(Recipe::parse(text).is_ok());
}

#[test]
fn every_problem_names_line_field_value_and_remedy() {
    for (text, line) in [
        ("outputs = 1", "line 1: outputs: unknown field; did you mean output?"),
        (
            "[[output]]\nkey = \"{key}\"\nquality = 101",
            "line 3: output[0].quality = 101: out of range; write a whole number from 1 to 100, without a unit",
        ),
        (
            "[[output]]\nkey = \"{key}\"\nresize = { width = \"12px\" }",
            "line 3: output[0].resize.width = \"12px\": a string where a number is expected; write a whole number of pixels from 1 to 16383, without a unit",
        ),
        (
            "[[output]]\nkey = \"{key}\"\nresize = { widht = 12 }",
            "line 3: output[0].resize.widht: unknown field; did you mean width?",
        ),
        (
            "[[output]]\nkey = \"{key}\"\nresize = { width = 1, fit = \"crop\" }",
            "line 3: output[0].resize.fit = \"crop\": not known; use one of cover, contain, fill, inside, outside, scale-down",
        ),
        ("[[output]]\nquality = 5", "line 1: output[0].key: missing; add key = \"prints/{key}\""),
        (
            "[output]\nkey = \"{key}\"",
            "line 1: output: one table where a list is expected; write [[output]] with two pairs of brackets",
        ),
        (
            "[[output]]\nkey = \"{key}\"\nformat = \"heic\"",
            "line 3: output[0].format = \"heic\": heic is read but not written; use \"webp\" for small files or \"png\" for exact ones",
        ),
        (
            "[[output]]\nkey = \"{keys}\"",
            "line 2: output[0].key = \"{keys}\": {keys} is not known; use {key} {dir} {name} {stem} {ext} {width} {height}",
        ),
        (
            "[[output]]\nkey = \"{key}\"\n[[output]]\nkey = \"{dir}{name}\"",
            "line 4: output[1].key = \"{dir}{name}\": output[0] has the same key; give each print a key of its own",
        ),
        (
            "[source]\nbucket = \"Photos\"\n[[output]]\nkey = \"{key}\"",
            "line 2: source.bucket = \"Photos\": not a bucket name; use 3 to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends",
        ),
        (
            "[[output]]\nkey = \"{key}\"\npixelate = { cells = 8, block = 2 }",
            "line 3: output[0].pixelate = { cells = 8, block = 2 }: both cells and block; write { cells = 8 } for 8 cells per side or { block = 12 } for cells of 12 pixels",
        ),
        (
            "[[output]]\nkey = \"failures/{key}\"",
            "line 2: output[0].key = \"failures/{key}\": lies under failures/, where failure reports are kept; choose another prefix",
        ),
        (
            "[source]\nbucket = \"one-bucket\"\n[processed]\nbucket = \"one-bucket\"\n[[output]]\nkey = \"small/{key}\"",
            "line 6: output[0].key = \"small/{key}\": prints could trigger the function again: they go to one-bucket, which triggers on keys that start with \"\"; use another bucket for [processed], or set source.prefix and begin this key with another prefix",
        ),
    ] {
        assert!(problems(text).contains(&line.to_owned()), "{line}\nfound: {:#?}", problems(text));
    }
}

#[test]
fn all_problems_are_reported_together_in_the_order_of_the_file() {
    let found = problems(
        "[source]\nbucket = \"x\"\n[limits]\nmegapixels = 0\n[[output]]\nkey = \"{key\"\nquality = \"high\"\n[[output]]\ncolor = 1\n",
    );
    let lines: Vec<&str> = found.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["line 2", "line 4", "line 6", "line 7", "line 8", "line 9"], "{found:#?}");
}

#[test]
fn text_that_is_no_toml_is_reported_with_its_line() {
    let found = problems("[source]\nbucket = photos\n");
    assert!(found[0].starts_with("line 2: "), "{found:?}");
}

#[test]
fn an_empty_recipe_is_told_to_add_an_output() {
    assert_eq!(
        problems(""),
        [
            "line 1: output: the recipe makes no print; add an [[output]] with a key, such as key = \"prints/{key}\""
        ]
    );
}

proptest::proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,80}", number in proptest::num::i64::ANY) {
        let _ = Recipe::parse(&text);
        let _ = Recipe::parse(&format!("[[output]]\nkey = \"{{key}}\"\nquality = {number}\nresize = {{ width = {number} }}"));
        let _ = Recipe::parse(&format!("[source]\nprefix = {text:?}\n[[output]]\nkey = {text:?}\n"));
    }
}
