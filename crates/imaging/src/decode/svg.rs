//! SVG pixels over `resvg`, drawn at the size of each print. Owns what a
//! drawing costs at that size, before it is drawn (`weight`), and the one font
//! for all families: a function has no others, and prints shall be the same
//! wherever they are made.

pub(crate) mod weight;

use crate::error::{Limit, at_most};
use crate::format::Format;
use crate::geometry::{CropBox, Size};
use crate::picture::{Layout, Picture};
use crate::source::Source;
use crate::source::svg::{SvgHeader, malformed, unsupported};
use crate::{Error, Limits};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source as FontSource};
use resvg::usvg::{self, FontResolver, ImageHrefResolver, ImageKind, Options, Tree};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// `DejaVu Sans`, Latin, Greek and Cyrillic.
static FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// Interprets the text of a drawing that `source::svg` has checked.
pub(crate) fn interpret(text: &str, limits: &Limits) -> Result<SvgHeader, Error> {
    let mut fonts = Database::new();
    let faces = fonts.load_font_source(FontSource::Binary(Arc::new(FONT)));
    let face = faces.first().copied();
    let inside = AtomicU64::new(0);
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
                let header = Source::read(&data, &limits).ok()?;
                let all =
                    inside.fetch_add(header.stored.pixels(), Ordering::Relaxed) + header.stored.pixels();
                if all > limits.pixels {
                    too_many.store(true, Ordering::Relaxed);
                    return None;
                }
                match header.format() {
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
        let all = inside.load(Ordering::Relaxed);
        at_most(Limit::Pixels, "the pictures inside, together,", all, limits.pixels, "pixels")?;
    }
    Ok(SvgHeader { tree: Box::new(tree?), embedded: embedded.load(Ordering::Relaxed) })
}

/// The size at which the whole picture is drawn so that its part `crop` has the
/// size `scaled`.
pub(crate) fn whole(stored: Size, crop: CropBox, scaled: Size) -> Size {
    let side = |stored: u32, part: f64, scaled: u32| {
        (f64::from(stored) * f64::from(scaled) / part).round().max(f64::from(scaled)) as u32
    };
    Size::new(side(stored.width, crop.width, scaled.width), side(stored.height, crop.height, scaled.height))
}

/// Draws the part `crop` of the picture at `scaled`, which may be any size:
/// nothing is scaled up.
pub(crate) fn part(header: &SvgHeader, stored: Size, crop: CropBox, scaled: Size) -> Result<Picture, Error> {
    let size = whole(stored, crop, scaled);
    let picture = rasterise(header, size)?;
    if size == scaled {
        return Ok(picture);
    }
    let at = |start: f64, stored: u32, size: u32, scaled: u32| {
        ((start * f64::from(size) / f64::from(stored)).round() as u32).min(size - scaled)
    };
    let x = at(crop.left, stored.width, size.width, scaled.width);
    let y = at(crop.top, stored.height, size.height, scaled.height);
    Ok(picture.cut(x, y, scaled))
}

/// Draws the whole picture at `size`, which may be any: nothing is scaled up.
pub(crate) fn rasterise(header: &SvgHeader, size: Size) -> Result<Picture, Error> {
    weight::of(&header.tree, size).affordable()?;
    let mut pixmap =
        Pixmap::new(size.width, size.height).ok_or_else(|| unsupported("a print of this size"))?;
    let natural = header.tree.size();
    let scale =
        Transform::from_scale(size.width as f32 / natural.width(), size.height as f32 / natural.height());
    resvg::render(&header.tree, scale, &mut pixmap.as_mut());
    // In place: another canvas would double what a drawing takes.
    let mut pixels = pixmap.take();
    for pixel in pixels.as_chunks_mut::<4>().0 {
        let alpha = u32::from(pixel[3]);
        if alpha != 0 && alpha != 255 {
            for v in &mut pixel[..3] {
                *v = ((u32::from(*v) * 255 + alpha / 2) / alpha).min(255) as u8;
            }
        }
    }
    Ok(Picture::new(size, Layout::Rgba, pixels))
}

/// Bytes that [`rasterise`] takes at its peak, the source bytes not counted:
/// the canvas and the layers that are open at once, or the copy without idle
/// alpha; and the pictures inside as they are packed.
pub(crate) fn memory(header: &SvgHeader, size: Size) -> u64 {
    let copy = 3 * size.pixels();
    size.pixels() * 4 + weight::of(&header.tree, size).memory.max(copy) + header.embedded + (4 << 20)
}
