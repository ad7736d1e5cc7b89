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
    field("limits", "output_mb", "1–2048", "100", "Largest print, in MiB."),
    field("limits", "seconds", "1–900", "60", "Longest work on one picture."),
    field("output", "key", "key template", "required", "The object key of the print."),
    field("output", "preset", "name or list of names", "none", "Takes the fields of `[preset.name]`, the later over the earlier."),
    field("output", "trim", "`true` or table, see below", "`false`", "Cuts off a border of one colour."),
    field("output", "crop", "table, see below", "none", "Cuts out a part."),
    field("output", "rotate", "`90`, `180`, `270`", "0", "Turns clockwise, after the orientation that the picture asks for."),
    field("output", "flip", "`horizontal`, `vertical`, `both`", "`none`", "Mirrors left to right, top to bottom, or both."),
    field("output", "resize", "table, see below", "none", "Fits the picture to a box."),
    field("output", "extend", "pixels, `\"5%\"` or table, see below", "none", "Pads the print with `background`. As in sharp, `blur`, `sharpen`, `rounded` and `watermark` come after it and see the padding; the print's width and height include it."),
    field("output", "pixelate", "table, see below", "none", "Makes a mosaic."),
    field("output", "blur", "0.3–1000", "none", "Gaussian blur; its standard deviation in pixels."),
    field("output", "sharpen", "`true` or table, see below", "`false`", "Unsharp mask."),
    field("output", "grayscale", "`true`, `false`", "`false`", "Takes the colour out."),
    field("output", "rounded", "pixels or `\"50%\"`", "none", "Radius of rounded corners; 50 % of a square is a circle."),
    field("output", "watermark", "table, see below", "none", "Lays a picture over the print."),
    field("output", "format", "`source`, `jpeg`, `png`, `webp`, `avif`, `gif`, `jxl`, `auto`, `manifest`, `placeholder`", "`source`", "File format. `source` keeps the picture's own (HEIC becomes JPEG; TIFF, BMP, ICO, QOI and SVG become PNG); `auto` takes the smallest of `formats`; `manifest` and `placeholder` are JSON documents, see below."),
    field("output", "formats", "list of formats", "`avif`, `webp`, `jpeg`", "What `format = \"auto\"` chooses from."),
    field("output", "quality", "1–100 or `auto`", "80", "The encoder's own scale; `auto` finds the smallest file that scores `target`."),
    field("output", "target", "30–100", "75", "The SSIMULACRA2 score that `auto` aims at: 50 medium, 70 high, 90 visually lossless."),
    field("output", "effort", "0–9", "by format", "Time spent on smaller files: 0 fastest, 9 smallest."),
    field("output", "lossless", "`true`, `false`", "`false`", "Exactly the pixels, in WebP and JPEG XL; PNG always."),
    field("output", "colours", "2–256", "as many as there are", "Colours of a PNG's palette."),
    field("output", "frames", "1–10000", "all", "Most frames of an animation that are kept, where the format holds them (GIF, WebP, PNG); 1 for a still."),
    field("output", "metadata", "`none`, `copyright`, `all`", "`copyright`", "What is kept: nothing; EXIF Artist and Copyright; all EXIF and XMP, the place of the photo included. Orientation is always applied."),
    field("output", "colour", "`srgb`, `keep`", "`srgb`", "Converts to sRGB, or keeps the source's colours and profile."),
    field("output", "background", "`#rrggbb`, `#rrggbbaa`, `white`, `black`, `transparent`", "`white`", "Shows through where a picture with alpha becomes a print without, and fills the bars of `contain` and the padding of `extend`."),
    field("output", "cache_control", "header value", "`public, max-age=3600`", "The `Cache-Control` of the stored print."),
    field("rule", "match", "glob or list of globs", "every key", "Source keys: `*` within a folder, `**` across folders, `?` one character, `{a,b}` either."),
    field("rule", "type", "format or list of formats", "every format", "What the picture is, by content: `jpeg`, `png`, `webp`, `avif`, `gif`, `jxl`, `heic`, `tiff`, `bmp`, `ico`, `qoi`, `svg`."),
    field("rule", "output", "as `[[output]]`", "required", "Written `[[rule.output]]`: the prints of its pictures."),
    field("resize", "width", "1–16383", "by aspect ratio", "Width of the box, in pixels."),
    field("resize", "height", "1–16383", "by aspect ratio", "Height of the box, in pixels."),
    field("resize", "fit", "`cover`, `contain`, `fill`, `inside`, `outside`", "`inside`", "How the picture meets the box, as in CSS and sharp; `scale-down` is `inside`."),
    field("resize", "position", "`center`, `top`, `bottom`, `left`, `right`, two of them, a compass point, or `attention`", "`center`", "What stays of a cropped picture, or where it lies between bars; `attention` keeps what the eye sees first."),
    field("resize", "enlarge", "`true`, `false`", "`false`", "Whether a smaller picture is enlarged."),
    field("resize", "linear", "`true`, `false`", "`false`", "Averages light instead of sRGB codes: slower, and thin bright lines keep their brightness."),
    field("extend", "top", "pixels or `\"5%\"`", "0", "Padding above; percent of the print's height before it is padded."),
    field("extend", "right", "pixels or `\"5%\"`", "0", "Padding at the right; percent of its width."),
    field("extend", "bottom", "pixels or `\"5%\"`", "0", "Padding below; percent of its height."),
    field("extend", "left", "pixels or `\"5%\"`", "0", "Padding at the left; percent of its width."),
    field("pixelate", "cells", "1–4096", "one of the two", "Cells per side: 8 gives 8 × 8 cells whatever the picture's size."),
    field("pixelate", "block", "1–16383", "one of the two", "Side of one cell in pixels."),
    field("pixelate", "region", "table, as `crop`", "the whole print", "The part that is pixelated."),
    field("region", "left", "pixels or `\"25%\"`", "0", "From the left edge."),
    field("region", "top", "pixels or `\"25%\"`", "0", "From the top edge."),
    field("region", "width", "pixels or `\"25%\"`", "to the right edge", "Its width."),
    field("region", "height", "pixels or `\"25%\"`", "to the bottom edge", "Its height."),
    field("trim", "threshold", "0–255", "10", "How far a pixel of the border may differ from the top left one."),
    field("sharpen", "sigma", "0.3–10", "1", "Width of what is sharpened, in pixels."),
    field("sharpen", "amount", "0–10", "1", "How much."),
    field("sharpen", "threshold", "0–255", "0", "Smaller differences are left alone."),
    field("watermark", "image", "file or `processed:key`", "required", "A picture in the recipe's folder, or in the processed bucket."),
    field("watermark", "position", "one of the nine positions", "`bottom right`", "Where it lies."),
    field("watermark", "margin", "0–16383", "0", "From the edges, in pixels."),
    field("watermark", "opacity", "0–1", "1", "How solid it is."),
    field("watermark", "scale", "0.001–1", "its own size", "Its width as a part of the print's."),
    field("watermark", "tile", "`true`, `false`", "`false`", "Repeats it over the whole print."),
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
        (
            "output",
            "`[[output]]`",
            "One print of every picture; repeat it for each. Every field but `key` and `preset` may also stand in\n\
             `[defaults]`, for all outputs, and in `[preset.name]`, for those that name it. Operations are carried out in the\n\
             order of this table, whatever the order in the file.",
        ),
        (
            "rule",
            "`[[rule]]`",
            "Other prints for some pictures. The first rule that fits a picture counts; it gets that rule's outputs instead\nof the `[[output]]`s.",
        ),
        ("resize", "`resize = { … }`", "At least one of `width` and `height`."),
        ("extend", "`extend = { … }`", "`extend = 20` and `extend = \"5%\"` pad all four sides alike."),
        ("pixelate", "`pixelate = { … }`", ""),
        ("region", "`crop = { … }`", ""),
        ("trim", "`trim = { … }`", ""),
        ("sharpen", "`sharpen = { … }`", ""),
        ("watermark", "`watermark = { … }`", ""),
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
