//! Prints by way of pixels: every source but a JPEG of luma and chroma.

use super::counter::Counter;
use super::{animated, finish};
use crate::Error;
use crate::plan::{Plan, PrintPlan};
use minilab_pixels::colour::{ColourSpace, Conversion, Convertible, Model};
use minilab_pixels::decode::{self, Decoded};
use minilab_pixels::geometry::{CropBox, Orientation, Rectangle, Scale, Size};
use minilab_pixels::operation::{attention, trim};
use minilab_pixels::parallel::for_each;
use minilab_pixels::picture::{AnyPicture, Depth, Layout, Picture, Sample};
use minilab_pixels::planes::CASCADE;
use minilab_pixels::scale::scaled_as;
use minilab_pixels::source::Source;
use std::sync::Arc;

pub(super) fn run(counter: &Counter<'_>, plan: &Plan<'_>, scale: Scale) -> Result<(), Error> {
    if plan.prints.iter().any(|print| !print.is_animated()) {
        let Decoded { picture, colour } = decode::still(counter.source, scale, plan.depth)?;
        counter.set_colour(&colour);
        match picture {
            AnyPicture::Eight(picture) => stills(counter, plan, picture, scale, &colour)?,
            AnyPicture::Sixteen(picture) => stills(counter, plan, picture, scale, &colour)?,
        }
    }
    let moving: Vec<&PrintPlan<'_>> = plan.prints.iter().filter(|print| print.is_animated()).collect();
    for_each(counter.threads(), moving, |print| animated::print(counter, print))
}

fn stills<S: Sample + Convertible>(
    counter: &Counter<'_>,
    plan: &Plan<'_>,
    mut decoded: Picture<S>,
    scale: Scale,
    colour: &ColourSpace<'_>,
) -> Result<(), Error> {
    let mut conversion = Conversion::to_srgb(colour, Model::of(decoded.layout));
    // Where no print keeps the source's colours, all are converted at once.
    if !plan.prints.iter().any(PrintPlan::keeps_colour)
        && let Some(conversion) = conversion.take()
    {
        conversion.apply(&mut decoded);
    }
    let source = counter.source;
    let (stored, orientation) = (source.stored, source.orientation);
    let base = Base { stored, orientation, scale, decoded: Arc::new(decoded) };
    let settled = settled(counter, plan, &base, conversion.as_ref())?;
    let (views, plan) = match &settled {
        Some((views, settled)) => (&**views, settled),
        None => (&[][..], plan),
    };
    counter.set_threads(plan.threads);
    let drawing = decode::is_drawing(source).then_some(source);
    let jobs = scale_all(&base, views, plan, drawing)?;
    drop(base);
    finish_all(counter, jobs, conversion.as_ref())
}

/// Converts, turns and encodes what has been scaled.
pub(super) fn finish_all<S: Sample + Convertible>(
    counter: &Counter<'_>,
    jobs: Vec<Job<'_, '_, S>>,
    conversion: Option<&Conversion<S>>,
) -> Result<(), Error> {
    for_each(counter.threads(), jobs, |Job { print, picture }| {
        let mut picture = picture;
        if !print.keeps_colour()
            && let Some(conversion) = conversion
        {
            conversion.apply(Arc::make_mut(&mut picture));
        }
        if print.placement.turn != Orientation::UPRIGHT {
            picture = Arc::new(Arc::unwrap_or_clone(picture).turned(print.placement.turn));
        }
        if print.depth == S::DEPTH || S::DEPTH == Depth::Eight {
            finish::finish(counter, print, picture)
        } else {
            finish::finish(counter, print, Arc::new(picture.narrowed()))
        }
    })
}

/// A part of the picture that prints are made of as if it were all of it.
struct View<S> {
    /// The threshold at which a border was cut off.
    threshold: u8,
    part: Rectangle,
    base: Base<S>,
}

/// The parts that trimmed prints are made of, and where each print lies.
type Settled<'r, S> = (Vec<View<S>>, Plan<'r>);

/// The plan once the pixels have been looked at, where prints depend on them.
fn settled<'r, S: Sample + Convertible>(
    counter: &Counter<'_>,
    plan: &Plan<'r>,
    base: &Base<S>,
    conversion: Option<&Conversion<S>>,
) -> Result<Option<Settled<'r, S>>, Error> {
    let attentive = plan.prints.iter().any(PrintPlan::is_attentive);
    if !attentive && plan.prints.iter().all(|print| print.output.trim.is_none()) {
        return Ok(None);
    }
    let seen = counter.source.seen();
    let mut views: Vec<View<S>> = Vec::new();
    for trim in plan.prints.iter().filter_map(|print| print.output.trim) {
        if views.iter().any(|view| view.threshold == trim.threshold) {
            continue;
        }
        let upright = base.upright();
        // A picture of one colour is all border: it stays as it is.
        let part = trim::trimmed(&upright, trim.threshold).unwrap_or(Rectangle::of(seen));
        let cut = Arc::new(upright.cut(part.x, part.y, part.size));
        let base =
            Base { stored: part.size, orientation: Orientation::UPRIGHT, scale: Scale::Full, decoded: cut };
        views.push(View { threshold: trim.threshold, part, base });
    }
    let small = if attentive {
        let mut small = base.print(CropBox::of(seen), small_size(seen), false);
        if let Some(conversion) = conversion {
            conversion.apply(&mut small);
        }
        S::eight(&small).into_owned()
    } else {
        // Nobody asks.
        Picture::new(Size::new(1, 1), Layout::Grey, vec![0])
    };
    let part_of = |print: &PrintPlan<'_>| {
        let view = |threshold| views.iter().find(|view| view.threshold == threshold);
        print.output.trim.and_then(|trim| view(trim.threshold)).map_or(Rectangle::of(seen), |view| view.part)
    };
    let focus = |part: Rectangle, crop: (f64, f64)| focus(&small, seen, part, crop);
    let settled =
        plan.settled(counter.source, counter.source_key, (counter.recipe, counter.limits), &part_of, &focus)?;
    Ok(Some((views, settled)))
}

/// The size at which a picture is looked at for what draws the eye.
pub(super) fn small_size(seen: Size) -> Size {
    seen.within(attention::SIDE)
}

/// Where a crop of `crop` pixels within `part` of a picture of `seen` pixels
/// draws the eye, found on a small copy of the whole.
pub(super) fn focus(small: &Picture, seen: Size, part: Rectangle, crop: (f64, f64)) -> (f64, f64) {
    let sx = f64::from(small.size.width) / f64::from(seen.width);
    let sy = f64::from(small.size.height) / f64::from(seen.height);
    let place = |at: u32, scale: f64, side: u32| ((f64::from(at) * scale) as u32).min(side - 1);
    let (x, y) = (place(part.x, sx, small.size.width), place(part.y, sy, small.size.height));
    let length = |length: f64, scale: f64, most: u32| ((length * scale).round() as u32).clamp(1, most);
    let size = Size::new(
        length(f64::from(part.size.width), sx, small.size.width - x),
        length(f64::from(part.size.height), sy, small.size.height - y),
    );
    let crop = Size::new(length(crop.0, sx, size.width), length(crop.1, sy, size.height));
    let (left, top) = attention::offset(&small.cut(x, y, size), crop);
    (f64::from(left) / sx, f64::from(top) / sy)
}

/// A print whose pixels wait for their encoder: scaled, not yet turned.
pub(super) struct Job<'p, 'r, S> {
    pub(super) print: &'p PrintPlan<'r>,
    pub(super) picture: Arc<Picture<S>>,
}

/// The still prints from largest to smallest.
pub(super) fn in_order<'p, 'r>(plan: &'p Plan<'r>) -> Vec<&'p PrintPlan<'r>> {
    let mut order: Vec<_> = plan.prints.iter().filter(|print| !print.is_animated()).collect();
    order.sort_by_key(|print| std::cmp::Reverse(print.placement.scaled.pixels()));
    order
}

/// For each print in `order` the place of the one that it is made from: the
/// smallest earlier one that shows the same part and is enough larger. Never an
/// enlarged one, which has nothing that the picture has not.
pub(super) fn cascade(order: &[&PrintPlan<'_>]) -> Vec<Option<usize>> {
    let threshold = |print: &PrintPlan<'_>| print.output.trim.map(|trim| trim.threshold);
    let parent = |(place, print): (usize, &&PrintPlan<'_>)| {
        let (size, crop) = (print.placement.unturned(), print.placement.crop);
        order[..place].iter().rposition(|larger| {
            let from = larger.placement.unturned();
            threshold(larger) == threshold(print)
                && larger.is_linear() == print.is_linear()
                && larger.placement.crop == crop
                && f64::from(from.width) <= crop.width
                && f64::from(from.height) <= crop.height
                && f64::from(from.width) >= CASCADE * f64::from(size.width)
                && f64::from(from.height) >= CASCADE * f64::from(size.height)
        })
    };
    order.iter().enumerate().map(parent).collect()
}

/// Every still print at its size. A drawing is drawn again for each.
fn scale_all<'p, 'r, S: Sample>(
    whole: &Base<S>,
    views: &[View<S>],
    plan: &'p Plan<'r>,
    drawing: Option<&Source<'_>>,
) -> Result<Vec<Job<'p, 'r, S>>, Error> {
    let order = in_order(plan);
    let parents = cascade(&order);
    let mut upright: Option<Arc<Picture<S>>> = None;
    let mut jobs: Vec<Job<'p, 'r, S>> = Vec::new();
    for (print, parent) in order.into_iter().zip(parents) {
        let threshold = print.output.trim.map(|trim| trim.threshold);
        let view = views.iter().find(|view| Some(view.threshold) == threshold);
        let mut crop = print.placement.crop;
        let base = match view {
            Some(view) => {
                crop.left -= f64::from(view.part.x);
                crop.top -= f64::from(view.part.y);
                &view.base
            }
            None => whole,
        };
        let size = print.placement.unturned();
        let linear = print.is_linear();
        let picture = if view.is_none() && base.is_untouched(crop, size) {
            // Shared, not copied: pixelations of a large picture are many.
            let shared = upright.take().unwrap_or_else(|| base.upright());
            upright = Some(Arc::clone(&shared));
            shared
        } else if let Some(source) = drawing {
            // Each at its own size: a drawing has no pixels that could be scaled.
            let drawn = decode::drawn(source, print.placement.crop, size)?;
            Arc::new(drawn.widened())
        } else if let Some(parent) = parent {
            Arc::new(from_larger(&jobs[parent].picture, print))
        } else {
            Arc::new(base.print(crop, size, linear))
        };
        jobs.push(Job { print, picture });
    }
    Ok(jobs)
}

/// `print` made from a larger one, `larger`.
pub(super) fn from_larger<S: Sample>(larger: &Picture<S>, print: &PrintPlan<'_>) -> Picture<S> {
    scaled_as(larger, CropBox::of(larger.size), print.placement.unturned(), print.is_linear())
}

/// The decoded picture, still as stored.
struct Base<S> {
    stored: Size,
    orientation: Orientation,
    scale: Scale,
    decoded: Arc<Picture<S>>,
}

impl<S: Sample> Base<S> {
    /// Whether a print shows the decoded picture pixel for pixel.
    fn is_untouched(&self, crop: CropBox, size: Size) -> bool {
        self.decoded.size == self.stored
            && size == self.stored.turned(self.orientation)
            && crop == CropBox::of(size)
    }

    fn upright(&self) -> Arc<Picture<S>> {
        if self.orientation == Orientation::UPRIGHT {
            return Arc::clone(&self.decoded);
        }
        Arc::new(Picture::clone(&self.decoded).turned(self.orientation))
    }

    /// `crop` of the seen picture at `size`, upright.
    fn print(&self, crop: CropBox, size: Size, linear: bool) -> Picture<S> {
        let crop = held(crop, self.orientation, self.stored, self.scale);
        let stored_size = size.turned(self.orientation);
        scaled_as(&self.decoded, crop, stored_size, linear).turned(self.orientation)
    }
}

/// The part of the stored picture of `stored` pixels, decoded at `scale`, that
/// is seen as `crop`.
pub(super) fn held(crop: CropBox, orientation: Orientation, stored: Size, scale: Scale) -> CropBox {
    crop.before(orientation, stored).held(scale.denominator(), scale.of_size(stored))
}
