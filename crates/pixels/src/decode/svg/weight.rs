//! What a drawing costs at a size: pixels that are visited, and bytes of the
//! layers that are open at once. Both are bounds from above by `resvg`'s own
//! rules: a layer is as large as its bounding box and at most five canvases
//! wide and high; masks and clips are as large as their layer; a filter keeps
//! the result of each step.

use crate::Error;
use crate::geometry::Size;
use crate::source::svg::unsupported;
use resvg::usvg::filter::Kind;
use resvg::usvg::{Fill, Group, ImageKind, Node, Paint, Stroke, Tree};

/// The cost of drawing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Weight {
    /// Pixels visited, a simple fill counting once.
    pub(crate) work: f64,
    /// Bytes of layers, the canvas not counted.
    pub(crate) memory: u64,
}

/// More visits than this take more than a few seconds: a thousand million
/// measured 2 to 18 seconds on a processor shared by four, by the kind of work.
const MOST_WORK: f64 = 8e8;

impl Weight {
    pub(crate) fn affordable(&self) -> Result<(), Error> {
        if self.work > MOST_WORK {
            return Err(unsupported(format!(
                "a drawing that takes {:.0} million steps at the size of its print, where {:.0} are allowed",
                self.work / 1e6,
                MOST_WORK / 1e6
            )));
        }
        Ok(())
    }

    /// One after the other: the work of both, the memory of the larger.
    fn then(&mut self, other: Self) {
        self.work += other.work;
        self.memory = self.memory.max(other.memory);
    }
}

/// Pixels of the canvas to those of the drawing.
struct View {
    scale: (f64, f64),
    /// Pixels of the largest layer.
    largest: f64,
    canvas: f64,
}

impl View {
    /// Pixels of a layer of so many units, with its margin.
    fn layer(&self, width: f32, height: f32) -> f64 {
        let pixels = (f64::from(width) * self.scale.0 + 4.0) * (f64::from(height) * self.scale.1 + 4.0);
        if pixels.is_finite() { pixels.clamp(0.0, self.largest) } else { self.largest }
    }
}

/// What drawing `tree` at `size` costs.
pub(crate) fn of(tree: &Tree, size: Size) -> Weight {
    let natural = tree.size();
    let canvas = size.pixels() as f64;
    let view = View {
        scale: (
            f64::from(size.width) / f64::from(natural.width()),
            f64::from(size.height) / f64::from(natural.height()),
        ),
        largest: canvas * 25.0,
        canvas,
    };
    let mut weight = Weight { work: canvas, memory: 0 };
    weight.then(children(tree.root(), &view, canvas));
    weight
}

/// The nodes of a group on a surface of `surface` pixels.
fn children(group: &Group, view: &View, surface: f64) -> Weight {
    let mut all = Weight::default();
    for node in group.children() {
        match node {
            Node::Group(group) => all.then(layered(group, view, surface)),
            Node::Path(path) => {
                let b = path.abs_stroke_bounding_box();
                let covered = view.layer(b.width(), b.height()).min(surface);
                // Edges are sorted and walked whatever they cover.
                let edges = 500.0 + path.data().len() as f64 * 60.0;
                for paint in
                    [path.fill().map(Fill::paint), path.stroke().map(Stroke::paint)].into_iter().flatten()
                {
                    all.work += covered + edges;
                    if let Paint::Pattern(pattern) = paint {
                        let rect = pattern.rect();
                        let t = path.abs_transform().pre_concat(pattern.transform());
                        let (sx, sy) = t.get_scale();
                        let tile = (f64::from(rect.width() * sx) * view.scale.0 + 1.0)
                            * (f64::from(rect.height() * sy) * view.scale.1 + 1.0);
                        let mut inside = children(pattern.root(), view, tile);
                        inside.work += tile;
                        inside.memory = inside.memory.saturating_add((tile * 4.0) as u64);
                        all.then(inside);
                    }
                }
                if let Some(dashes) = path.stroke().and_then(|s| s.dasharray()) {
                    // A dash of a thousandth of a pixel makes millions of them.
                    let shortest = dashes.iter().sum::<f32>().max(f32::MIN_POSITIVE);
                    let length = f64::from(b.width() + b.height()) * path.data().len() as f64;
                    all.work += length / f64::from(shortest) * 200.0;
                }
            }
            Node::Image(image) => {
                let b = image.abs_bounding_box();
                let inside = f64::from(image.size().width()) * f64::from(image.size().height());
                all.work += view.layer(b.width(), b.height()).min(surface) * 4.0 + inside * 20.0;
                if let ImageKind::SVG(tree) = image.kind() {
                    all.then(children(tree.root(), view, surface));
                }
                all.memory = all.memory.max((inside * 12.0) as u64);
            }
            Node::Text(text) => all.then(layered(text.flattened(), view, surface)),
        }
    }
    all
}

/// A group, on a layer of its own where it needs one.
fn layered(group: &Group, view: &View, surface: f64) -> Weight {
    if !group.should_isolate() {
        return children(group, view, surface);
    }
    let b = group.abs_layer_bounding_box();
    let layer = view.layer(b.width(), b.height());
    let mut inside = children(group, view, layer);
    let mut planes = 1.0;
    for filter in group.filters() {
        let steps = filter.primitives();
        // Source, its alpha, a result for each step, and what a step works in.
        planes += steps.len() as f64 + 4.0;
        for step in steps {
            inside.work += layer * passes(step.kind(), view);
            if let Kind::Image(image) = step.kind() {
                inside.then(children(image.root(), view, layer));
            }
        }
    }
    let mut clip = group.clip_path();
    while let Some(path) = clip {
        planes += 2.0;
        inside.work += layer * 2.0;
        inside.then(children(path.root(), view, layer));
        clip = path.clip_path();
    }
    let mut mask = group.mask();
    while let Some(one) = mask {
        planes += 3.0;
        inside.work += layer * 4.0;
        inside.then(children(one.root(), view, layer));
        mask = one.mask();
    }
    inside.work += layer * 3.0;
    inside.memory = inside.memory.saturating_add((layer * 4.0 * planes) as u64);
    inside
}

/// Visits of each pixel in a step of a filter.
fn passes(kind: &Kind, view: &View) -> f64 {
    let side = view.canvas.sqrt() * 5.0;
    match kind {
        // Every pixel looks at all in its reach.
        Kind::Morphology(m) => {
            let reach = |radius: f32, scale: f64| (2.0 * f64::from(radius) * scale + 1.0).min(2.0 * side);
            reach(m.radius_x().get(), view.scale.0.max(view.scale.1))
                * reach(m.radius_y().get(), view.scale.0.max(view.scale.1))
        }
        Kind::ConvolveMatrix(m) => f64::from(m.matrix().columns()) * f64::from(m.matrix().rows()) * 4.0,
        Kind::Turbulence(t) => f64::from(t.num_octaves()) * 200.0,
        Kind::GaussianBlur(_) | Kind::DropShadow(_) => 40.0,
        Kind::DiffuseLighting(_) | Kind::SpecularLighting(_) => 60.0,
        _ => 10.0,
    }
}
