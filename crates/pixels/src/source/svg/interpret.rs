//! A drawing interpreted over `usvg`. Owns the one font for all families: a
//! function has no others, and prints shall be the same wherever they are made.

use super::refusal::{malformed, unsupported};
use crate::Error;
use crate::Limits;
use crate::error::{Limit, at_most};
use crate::format::Format;
use crate::source::headers::SvgHeader;
use resvg::usvg::fontdb::{Database, Source as FontSource};
use resvg::usvg::{self, FontResolver, ImageHrefResolver, ImageKind, Options, Tree};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// `DejaVu Sans`, Latin, Greek and Cyrillic.
static FONT: &[u8] = include_bytes!("../../../assets/DejaVuSans.ttf");

/// Reads the header of a picture inside: its format and pixels, if it is one.
pub(super) type Inside = fn(&[u8], &Limits) -> Option<(Format, u64)>;

/// Interprets the text of a drawing that `guard` has checked.
pub(super) fn interpret(text: &str, limits: &Limits, inside: Inside) -> Result<SvgHeader, Error> {
    let mut fonts = Database::new();
    let faces = fonts.load_font_source(FontSource::Binary(Arc::new(FONT)));
    let face = faces.first().copied();
    let pixels = AtomicU64::new(0);
    let embedded = AtomicU64::new(0);
    let too_many = AtomicBool::new(false);
    let limits = Limits { frames: u32::MAX, ..*limits };
    let options = Options {
        font_family: "DejaVu Sans".to_owned(),
        fontdb: Arc::new(fonts),
        font_resolver: FontResolver {
            select_font: Box::new(move |_, _| face),
            select_fallback: Box::new(|_, _, _| None),
        },
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, data, _| {
                embedded.fetch_add(data.len() as u64, Ordering::Relaxed);
                let (format, more) = inside(&data, &limits)?;
                let all = pixels.fetch_add(more, Ordering::Relaxed) + more;
                if all > limits.pixels {
                    too_many.store(true, Ordering::Relaxed);
                    return None;
                }
                match format {
                    Format::Jpeg => Some(ImageKind::JPEG(data)),
                    Format::Png => Some(ImageKind::PNG(data)),
                    Format::Gif => Some(ImageKind::GIF(data)),
                    Format::Webp => Some(ImageKind::WEBP(data)),
                    _ => None,
                }
            }),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    let tree = Tree::from_str(text, &options).map_err(|error| match error {
        usvg::Error::ElementsLimitReached => unsupported("too many elements"),
        other => malformed(other.to_string()),
    });
    if too_many.load(Ordering::Relaxed) {
        let all = pixels.load(Ordering::Relaxed);
        at_most(Limit::Pixels, "the pictures inside, together,", all, limits.pixels, "pixels")?;
    }
    Ok(SvgHeader { tree: Box::new(tree?), embedded: embedded.load(Ordering::Relaxed) })
}
