//! The formats that a build may be without: with its cargo feature a format is
//! read and written, without it a picture is rejected and a recipe refused, both
//! in words. Run with the default features and with none.

#![expect(clippy::disallowed_methods, reason = "the tests read the corpus; the library reads nothing")]

use minilab_imaging::recipe::Format;
use minilab_imaging::{Error, Recipe, render};

const HEAD: &str = "[source]\nbucket = \"incoming\"\n[processed]\nbucket = \"prints\"\n";

/// Each format, the feature that brings it, a picture, and whether it is written.
const OPTIONAL: [(Format, bool, &str, bool); 5] = [
    (Format::Avif, cfg!(feature = "avif"), "avif/420/input.avif", true),
    (Format::Heic, cfg!(feature = "heic"), "heic/420/input.heic", false),
    (Format::Jxl, cfg!(feature = "jxl"), "jxl/lossy/input.jxl", true),
    (Format::Svg, cfg!(feature = "svg"), "svg/shapes/input.svg", false),
    (Format::Svg, cfg!(feature = "svg"), "svg/compressed/input.svgz", false),
];

fn corpus(file: &str) -> Vec<u8> {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/");
    std::fs::read(format!("{golden}{file}")).unwrap()
}

fn recipe(output: &str) -> Result<Recipe, String> {
    Recipe::parse(&format!("{HEAD}[[output]]\nkey = \"{{key}}\"\n{output}\n"))
        .map_err(|error| error.to_string())
}

#[test]
fn a_build_has_the_formats_of_its_features_and_those_that_are_always_there() {
    for (format, feature, ..) in OPTIONAL {
        assert_eq!(format.in_build(), feature, "{}", format.title());
    }
    let optional = OPTIONAL.map(|(format, ..)| format);
    for format in Format::ALL.into_iter().filter(|format| !optional.contains(format)) {
        assert!(format.in_build(), "{}", format.title());
    }
}

#[test]
fn a_picture_is_printed_or_rejected_because_the_build_leaves_its_format_out() {
    let recipe = recipe("format = \"png\"\nresize = { width = 16 }").unwrap();
    for (format, feature, file, _) in OPTIONAL {
        let outcome = render(&corpus(file), "input", &recipe, &recipe.limits, &|_| ());
        if feature {
            assert_eq!(outcome.unwrap().header.format, format, "{file}");
            continue;
        }
        let error = outcome.expect_err(file);
        assert!(matches!(error, Error::Unsupported { .. }), "{file}: {error:?}");
        let title = format.title();
        assert_eq!(
            error.to_string(),
            format!(
                "unsupported {title} picture: this build of minilab leaves the format out; \
                 convert it and upload it again"
            ),
        );
    }
}

#[test]
fn a_recipe_may_name_the_formats_that_the_build_writes() {
    for (format, feature, _, written) in OPTIONAL {
        let name = format.name();
        // A rule for pictures that never come does no harm.
        let rule = format!("[[rule]]\ntype = \"{name}\"\n[[rule.output]]\nkey = \"{{key}}\"\n");
        assert!(Recipe::parse(&format!("{HEAD}{rule}")).is_ok(), "{name}");
        if !written {
            continue;
        }
        let forms =
            [format!("format = \"{name}\""), format!("format = \"auto\"\nformats = [\"jpeg\", \"{name}\"]")];
        for form in forms {
            let parsed = recipe(&form);
            if feature {
                assert!(parsed.is_ok(), "{form}");
                continue;
            }
            let problem = parsed.expect_err(&form);
            let said = format!(
                "this build of minilab leaves {} out; use \"webp\", or a build with the cargo feature \"{name}\"",
                format.title(),
            );
            assert!(problem.contains(&said), "{problem}");
        }
    }
}

#[test]
fn auto_means_the_same_in_every_build_or_is_refused() {
    let bare = recipe("format = \"auto\"");
    if cfg!(feature = "avif") {
        let recipe = bare.unwrap();
        assert_eq!(
            recipe.outputs[0].format.candidates(),
            Some(&[Format::Avif, Format::Webp, Format::Jpeg][..])
        );
    } else {
        let problem = bare.expect_err("a build without AVIF");
        let said =
            "this build of minilab leaves AVIF out; say what it chooses from: formats = [\"webp\", \"jpeg\"]";
        assert!(problem.contains(said), "{problem}");
    }
    assert!(recipe("format = \"auto\"\nformats = [\"webp\", \"jpeg\"]").is_ok());
}
