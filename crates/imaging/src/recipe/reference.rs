//! Every field of a recipe, once: the parser takes its lists of known fields
//! from here, and docs/configuration.md is rendered from here by a test.

use std::fmt::Write as _;

/// One field of a recipe.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The table it stands in.
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What is written there.
    pub value: &'static str,
    /// What holds where it is left out.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

const fn field(
    table: &'static str,
    name: &'static str,
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Field {
    Field { table, name, value, default, meaning }
}

/// All fields, in the order of the documentation.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    field("source", "bucket", "bucket name", "`minilab-source`", "Pictures put into this bucket get prints."),
    field("source", "prefix", "text", "none", "Only keys that begin with this are sources, such as `uploads/`."),
    field("processed", "bucket", "bucket name", "the source's name with `-processed` for `-source`, or added", "Prints and failure reports go here."),
    field("limits", "input_mb", "1–2048", "100", "Largest source object, in MiB."),
    field("limits", "megapixels", "1–2000", "50", "Largest source picture, in millions of pixels."),
    field("limits", "side", "1–65535", "30000", "Largest width or height, in pixels."),
    field("limits", "frames", "1–10000", "300", "Most frames of an animation."),
    field("limits", "memory_mb", "64–10240", "768", "Largest predicted memory for one picture, in MiB. A function lowers it to what it has."),
    field("defaults", "format", "as in an output", "`source`", "See `[[output]]`."),
    field("defaults", "quality", "as in an output", "80", "See `[[output]]`."),
    field("defaults", "metadata", "as in an output", "`copyright`", "See `[[output]]`."),
    field("defaults", "background", "as in an output", "`white`", "See `[[output]]`."),
    field("defaults", "cache_control", "as in an output", "`public, max-age=3600`", "See `[[output]]`."),
    field("output", "key", "key template", "required", "The object key of the print."),
    field("output", "resize", "table, see below", "none", "Fits the picture to a box."),
    field("output", "pixelate", "table, see below", "none", "Makes a mosaic, after resizing."),
    field("output", "format", "`source`, `jpeg`, `png`, `webp`, `gif`", "from `[defaults]`", "File format; `source` keeps the picture's own."),
    field("output", "quality", "1–100", "from `[defaults]`", "Encoder quality of JPEG and WebP."),
    field("output", "metadata", "`none`, `copyright`, `all`", "from `[defaults]`", "What is kept: nothing; EXIF Artist and Copyright; all EXIF and XMP, the place of the photo included. Orientation is always applied and colour always converted to sRGB."),
    field("output", "background", "`#rrggbb`, `#rrggbbaa`, `white`, `black`, `transparent`", "from `[defaults]`", "Shows through where a picture with alpha becomes a print without, and fills the bars of `contain`."),
    field("output", "cache_control", "header value", "from `[defaults]`", "The `Cache-Control` of the stored print."),
    field("resize", "width", "1–16383", "by aspect ratio", "Width of the box, in pixels."),
    field("resize", "height", "1–16383", "by aspect ratio", "Height of the box, in pixels."),
    field("resize", "fit", "`cover`, `contain`, `fill`, `inside`, `outside`", "`inside`", "How the picture meets the box, as in CSS and sharp; `scale-down` is `inside`."),
    field("resize", "position", "`center`, `top`, `bottom`, `left`, `right`, two of them, or a compass point", "`center`", "What stays of a cropped picture, or where it lies between bars."),
    field("resize", "enlarge", "`true`, `false`", "`false`", "Whether a smaller picture is enlarged."),
    field("pixelate", "cells", "1–4096", "one of the two", "Cells per side: 8 gives 8 × 8 cells whatever the picture's size."),
    field("pixelate", "block", "1–16383", "one of the two", "Side of one cell in pixels."),
];

/// The names of the fields of `table`.
pub(super) fn names(table: &str) -> Vec<&'static str> {
    FIELDS.iter().filter(|field| field.table == table).map(|field| field.name).collect()
}

/// What a key template may name, with an example for `a/b.c.jpg` as 1280 × 853 WebP.
pub const VARIABLES: &[(&str, &str, &str)] = &[
    ("{key}", "the whole source key", "a/b.c.jpg"),
    ("{dir}", "the key up to and including its last `/`", "a/"),
    ("{name}", "what follows the last `/`", "b.c.jpg"),
    ("{stem}", "the name without its last extension", "b.c"),
    ("{ext}", "the extension of the print's format", "webp"),
    ("{width}", "the print's own width in pixels", "1280"),
    ("{height}", "the print's own height in pixels", "853"),
];

/// The reference as Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# The recipe\n\n<!-- Rendered from the code: change crates/imaging/src/recipe/reference.rs, then run\n     \
         MINILAB_BLESS=1 cargo test -p minilab-imaging -->\n\n\
         `minilab` reads `minilab.toml` beside you, or the file after `--config`; with neither, the built-in recipe below.\n\
         Everything that is wrong with a recipe is reported at once, each with line, field, value and remedy.\n",
    );
    for (table, title, intro) in [
        ("source", "`[source]`", ""),
        ("processed", "`[processed]`", ""),
        ("limits", "`[limits]`", "Every limit is checked against a picture's header before it is decoded."),
        ("defaults", "`[defaults]`", "What holds for every output that does not say otherwise."),
        ("output", "`[[output]]`", "One print of every picture; repeat it for each."),
        ("resize", "`resize = { … }`", "At least one of `width` and `height`."),
        ("pixelate", "`pixelate = { … }`", ""),
    ] {
        let _ = write!(text, "\n## {title}\n\n");
        if !intro.is_empty() {
            let _ = write!(text, "{intro}\n\n");
        }
        text.push_str("| field | value | default | meaning |\n|---|---|---|---|\n");
        for field in FIELDS.iter().filter(|field| field.table == table) {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                field.name, field.value, field.default, field.meaning
            );
        }
    }
    text.push_str("\n## Key templates\n\n| variable | stands for | of `a/b.c.jpg` |\n|---|---|---|\n");
    for (variable, meaning, example) in VARIABLES {
        let _ = writeln!(text, "| `{variable}` | {meaning} | `{example}` |");
    }
    text.push_str(
        "\n`{{` and `}}` stand for braces. A key holds at most 1,024 bytes. `failures/` is kept for reports.\n\
         Where a key depends on the picture (`{width}`, `{height}`, `{ext}` of `format = \"source\"`) or has no `{key}` in\n\
         it, old prints are found by listing their prefix: one request more for each picture.\n\n## The built-in recipe\n\n```toml\n",
    );
    text.push_str(super::BUILT_IN);
    text.push_str("```\n");
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the test reads and refreshes the page")]

    use super::*;
    use crate::recipe::{Format, KeyTemplate, PrintName};

    /// Refreshed by `MINILAB_BLESS=1`.
    #[test]
    fn the_configuration_page_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let bless = option_env!("MINILAB_BLESS").is_some();
        if bless {
            std::fs::write(path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == markdown(),
            "docs/configuration.md is stale: MINILAB_BLESS=1 cargo test -p minilab-imaging"
        );
    }

    #[test]
    fn the_documented_variables_are_the_real_ones() {
        for (variable, _, example) in VARIABLES {
            let template = KeyTemplate::parse(&format!("{variable}|{{key}}")).unwrap();
            let print = PrintName { source_key: "a/b.c.jpg", format: Format::Webp, width: 1280, height: 853 };
            assert_eq!(template.expand(&print).unwrap(), format!("{example}|a/b.c.jpg"));
        }
    }
}
