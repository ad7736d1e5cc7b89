//! Many prints of one picture: which is made from which, and on which thread.

use super::resize::Resizing;
use super::{Planes, Shape};
use crate::Error;
use crate::geometry::{CropBox, Orientation, Scale, Size, Subsampling};
use crate::parallel::{Failures, guarded};
use crate::resample::Filter;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// One resized print.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Print {
    /// What it shows, in pixels of the full-size upright picture.
    pub crop: CropBox,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Sampling of chroma; grey pictures stay grey.
    pub subsampling: Subsampling,
}

impl Print {
    /// Source pixels for each pixel of the print, along the axis with fewer.
    pub fn ratio(&self) -> f64 {
        (self.crop.width / f64::from(self.width)).min(self.crop.height / f64::from(self.height))
    }

    /// Whether it has more columns or rows than what it shows.
    fn is_enlarged(&self) -> bool {
        self.ratio() < 1.0
    }
}

/// Least ratio between two prints that are made from one another: below it the
/// second filter would soften what the first has kept.
pub const CASCADE: f64 = 1.5;

/// Least ratio between a picture decoded at a reduced scale and its prints.
///
/// PSNR of luma against a full decode, both resized by Lanczos 3, on a 12 MP
/// photo, at ratios 1 / 1.25 / 1.5 / 2 / 3:
/// 1:2 47.5 / 47.9 / 49.0 / 50.1 / 50.8 dB,
/// 1:4 44.4 / 45.2 / 47.4 / 49.6 / 50.9 dB,
/// 1:8 42.7 / 43.7 / 45.8 / 48.2 / 49.8 dB. Chroma stays above 51 dB.
pub const MARGIN: f64 = 1.5;

/// The smallest scale at which a picture may be decoded for `prints`, so that
/// it stays at least `margin` times as large as each of them.
pub fn scale_for(prints: &[Print], margin: f64) -> Scale {
    let least = prints.iter().map(Print::ratio).fold(f64::INFINITY, f64::min);
    Scale::ALL
        .into_iter()
        .find(|scale| least.is_finite() && least >= margin * f64::from(scale.denominator()))
        .unwrap_or(Scale::Full)
}

/// What is known of a decoded picture without its samples.
#[derive(Debug, Clone, Copy)]
pub struct Decoded {
    /// Its full size, as stored.
    pub full: Size,
    /// The scale at which it is decoded.
    pub scale: Scale,
    /// How it is still to be turned.
    pub orientation: Orientation,
}

/// What becomes of each print, upright, with its index: it is encoded. Called
/// from several threads.
pub type Done<'a> = &'a (dyn Fn(usize, &Planes) -> Result<(), Error> + Sync);

/// Makes every print of `source`.
///
/// `done` gets each print upright, with its index in `prints`; it is called
/// from up to `threads` threads and does the encoding. An error stops the smaller
/// prints; of several the one of the largest print counts.
pub fn make_prints(
    source: &Planes,
    decoded: Decoded,
    prints: &[Print],
    threads: usize,
    done: Done<'_>,
) -> Result<(), Error> {
    let mut first_hand = |index: usize| {
        let resizing = decoded.resizing(source.shape(), &prints[index]);
        source.resampled(&resizing, threads).map(|planes| planes.oriented(decoded.orientation))
    };
    hand_out(prints, &cascade(prints), threads, &mut first_hand, done)
}

/// Gives out each print in `order`: those that are made from the picture as
/// `first_hand` has them, asked for in that order, the others made from larger
/// ones. Of several errors the one of the first print in `order` counts.
pub(crate) fn hand_out(
    prints: &[Print],
    order: &[Step],
    threads: usize,
    first_hand: FirstHand<'_>,
    done: Done<'_>,
) -> Result<(), Error> {
    let done: Done<'_> = &|index, planes| guarded("print", || done(index, planes));
    if threads <= 1 || prints.len() <= 1 {
        return resize_all(prints, order, first_hand, &mut |_, index, planes| done(index, &planes))
            .map_err(|(_, error)| error);
    }
    let queue = Queue::default();
    std::thread::scope(|scope| {
        for _ in 1..threads.min(prints.len()) {
            scope.spawn(|| queue.drain(done));
        }
        {
            let _closing = Closing(&queue);
            let resized = resize_all(prints, order, first_hand, &mut |place, index, planes| {
                queue.push(place, index, planes);
                Ok(())
            });
            if let Err((place, error)) = resized {
                queue.failures.note(place, error);
            }
        }
        queue.drain(done);
    });
    queue.failures.first()
}

/// The print of an index, made from the picture itself.
type FirstHand<'a> = &'a mut dyn FnMut(usize) -> Result<Planes, Error>;

/// What becomes of a print, given its place in the order, its index and its planes.
type Each<'a> = &'a mut dyn FnMut(usize, usize, Arc<Planes>) -> Result<(), Error>;

/// Makes each print in `order`. An error comes with the place of its print.
fn resize_all(
    prints: &[Print],
    order: &[Step],
    first_hand: FirstHand<'_>,
    each: Each<'_>,
) -> Result<(), (usize, Error)> {
    let mut made: Vec<Option<Arc<Planes>>> = Vec::with_capacity(order.len());
    for (place, &(index, parent)) in order.iter().enumerate() {
        let print = &prints[index];
        let planes = match parent.and_then(|p| made[p].as_deref()) {
            Some(larger) => larger.resized(
                CropBox::whole(larger.width(), larger.height()),
                (print.width, print.height),
                print.subsampling,
                (false, false),
                1,
            ),
            None => first_hand(index),
        };
        let planes = Arc::new(planes.map_err(|error| (place, error))?);
        each(place, index, Arc::clone(&planes)).map_err(|error| (place, error))?;
        made.push(Some(planes));
        // A print that nothing more is made from is only the encoder's.
        for (earlier, slot) in made.iter_mut().enumerate() {
            if !order[place + 1..].iter().any(|&(_, parent)| parent == Some(earlier)) {
                *slot = None;
            }
        }
    }
    Ok(())
}

/// The indices of the prints that are made from the picture itself.
pub fn first_hand(prints: &[Print]) -> Vec<usize> {
    of_picture(&cascade(prints))
}

/// The indices of those of `order` that are made from the picture itself.
pub(crate) fn of_picture(order: &[Step]) -> Vec<usize> {
    order.iter().filter(|(_, parent)| parent.is_none()).map(|&(index, _)| index).collect()
}

/// A print and the place in the order of the larger print that it is made
/// from; `None` for the picture itself.
pub(crate) type Step = (usize, Option<usize>);

/// Prints from largest to smallest, each from the smallest earlier one that
/// shows the same part and is at least [`CASCADE`] times as large. Never from
/// an enlarged one, which has nothing that the picture has not. Prints of pixels
/// have a cascade of their own in `imaging`, which looks at trimming and light
/// where this one looks at chroma.
pub(crate) fn cascade(prints: &[Print]) -> Vec<Step> {
    let mut order: Vec<usize> = (0..prints.len()).collect();
    order.sort_by(|&a, &b| prints[a].ratio().total_cmp(&prints[b].ratio()));
    let mut steps: Vec<Step> = Vec::with_capacity(order.len());
    for index in order {
        let print = &prints[index];
        let parent = steps.iter().rposition(|&(larger, _)| {
            let larger = &prints[larger];
            larger.crop == print.crop
                && !larger.is_enlarged()
                && larger.subsampling == print.subsampling
                && f64::from(larger.width) >= CASCADE * f64::from(print.width)
                && f64::from(larger.height) >= CASCADE * f64::from(print.height)
        });
        steps.push((index, parent));
    }
    steps
}

impl Decoded {
    /// The part of the decoded picture that `print` shows.
    pub fn held(&self, print: &Print) -> CropBox {
        print.crop.before(self.orientation, self.full).scaled(1.0 / f64::from(self.scale.denominator()))
    }

    /// How `print` is made of the picture, whose planes are those of `source`.
    pub(crate) fn resizing(&self, source: Shape, print: &Print) -> Resizing {
        let crop = self.held(print);
        let size = self.orientation.size(print.width, print.height);
        Resizing::new(
            Filter::Lanczos3,
            source,
            crop,
            size,
            print.subsampling,
            self.orientation.stored_flips(),
        )
    }
}

/// Closes the queue however its producer ends: the encoders would wait for a
/// producer that panicked.
struct Closing<'a>(&'a Queue);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Resized prints on their way to the encoders. Not [`for_each`], which has all
/// of its items when it begins: these are encoded while more are being resized.
///
/// [`for_each`]: crate::parallel::for_each
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
    failures: Failures,
}

#[derive(Default)]
struct Waiting {
    /// Each with its place in the order and its index, in that order.
    prints: VecDeque<(usize, usize, Arc<Planes>)>,
    closed: bool,
}

impl Queue {
    fn push(&self, place: usize, index: usize, planes: Arc<Planes>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.prints.push_back((place, index, planes));
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// Encodes prints, in their order, until there are no more or an earlier one
    /// has failed.
    fn drain(&self, done: Done<'_>) {
        loop {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            while state.prints.is_empty() && !state.closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let Some((place, index, planes)) = state.prints.pop_front() else { return };
            drop(state);
            if self.failures.before(place) {
                return;
            }
            if let Err(error) = done(index, &planes) {
                self.failures.note(place, error);
            }
        }
    }
}
