//! Many prints of one picture: which is made from which, and on which thread.

use super::{CropBox, Orientation, Planes, Subsampling};
use crate::Error;
use crate::jpeg::Scale;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// One resized print.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Print {
    /// What it shows, in pixels of the full-size upright picture.
    pub(crate) crop: CropBox,
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// Sampling of chroma; grey pictures stay grey.
    pub(crate) subsampling: Subsampling,
}

impl Print {
    /// Source pixels for each pixel of the print, along the axis with fewer.
    pub(crate) fn ratio(&self) -> f64 {
        (self.crop.width / f64::from(self.width)).min(self.crop.height / f64::from(self.height))
    }

    /// Whether it has more columns or rows than what it shows.
    fn is_enlarged(&self) -> bool {
        self.ratio() < 1.0
    }
}

/// Least ratio between two prints that are made from one another.
const CASCADE: f64 = 1.5;

/// Least ratio between a picture decoded at a reduced scale and its prints.
///
/// PSNR of luma against a full decode, both resized by Lanczos 3, on a 12 MP
/// photo, at ratios 1 / 1.25 / 1.5 / 2 / 3:
/// 1:2 47.5 / 47.9 / 49.0 / 50.1 / 50.8 dB,
/// 1:4 44.4 / 45.2 / 47.4 / 49.6 / 50.9 dB,
/// 1:8 42.7 / 43.7 / 45.8 / 48.2 / 49.8 dB. Chroma stays above 51 dB.
pub(crate) const MARGIN: f64 = 1.5;

/// The smallest scale at which a picture may be decoded for `prints`, so that
/// it stays at least `margin` times as large as each of them.
pub(crate) fn scale_for(prints: &[Print], margin: f64) -> Scale {
    let least = prints.iter().map(Print::ratio).fold(f64::INFINITY, f64::min);
    Scale::ALL
        .into_iter()
        .find(|scale| least.is_finite() && least >= margin * f64::from(scale.denominator()))
        .unwrap_or(Scale::Full)
}

/// Makes every print of `source`, which is the stored picture decoded at
/// `scale` from `full` (width, height) pixels and still to be turned by
/// `orientation`.
///
/// `done` gets each print upright, with its index in `prints`; it is called
/// from up to `threads` threads and does the encoding. The first error stops
/// the rest.
pub(crate) fn make_prints(
    source: &Planes,
    full: (u32, u32),
    scale: Scale,
    orientation: Orientation,
    prints: &[Print],
    threads: usize,
    done: &(dyn Fn(usize, &Planes) -> Result<(), Error> + Sync),
) -> Result<(), Error> {
    let job = Job { source, full, scale, orientation, prints, threads, order: cascade(prints) };
    if threads <= 1 || prints.len() <= 1 {
        return job.resize_all(&mut |index, planes| done(index, &planes));
    }
    let queue = Queue::default();
    std::thread::scope(|scope| {
        let helpers = threads.min(prints.len()) - 1;
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(|| queue.drain(done))).collect();
        let resized = {
            let _closing = Closing(&queue);
            job.resize_all(&mut |index, planes| {
                queue.push(index, planes);
                Ok(())
            })
        };
        let own = queue.drain(done);
        helpers.into_iter().fold(resized.and(own), |result, helper| {
            let panicked = || Err(Error::Codec { format: "print", detail: "a thread panicked".into() });
            result.and(helper.join().unwrap_or_else(|_| panicked()))
        })
    })
}

/// A print and the place in the order of the larger print that it is made
/// from; `None` for the picture itself.
type Step = (usize, Option<usize>);

/// Prints from largest to smallest, each from the smallest earlier one that
/// shows the same part and is at least [`CASCADE`] times as large. Never from
/// an enlarged one, which has nothing that the picture has not.
fn cascade(prints: &[Print]) -> Vec<Step> {
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

struct Job<'a> {
    source: &'a Planes,
    full: (u32, u32),
    scale: Scale,
    orientation: Orientation,
    prints: &'a [Print],
    threads: usize,
    order: Vec<Step>,
}

impl Job<'_> {
    fn resize_all(&self, each: &mut dyn FnMut(usize, Arc<Planes>) -> Result<(), Error>) -> Result<(), Error> {
        let mut made: Vec<Option<Arc<Planes>>> = Vec::with_capacity(self.order.len());
        for (place, &(index, parent)) in self.order.iter().enumerate() {
            let print = &self.prints[index];
            let planes = match parent.and_then(|p| made[p].as_deref()) {
                Some(larger) => larger.resized(
                    CropBox::whole(larger.width(), larger.height()),
                    (print.width, print.height),
                    print.subsampling,
                    (false, false),
                    1,
                )?,
                None => self.first_hand(print)?,
            };
            let planes = Arc::new(planes);
            each(index, Arc::clone(&planes))?;
            made.push(Some(planes));
            // A print that nothing more is made from is only the encoder's.
            for (earlier, slot) in made.iter_mut().enumerate() {
                if !self.order[place + 1..].iter().any(|&(_, parent)| parent == Some(earlier)) {
                    *slot = None;
                }
            }
        }
        Ok(())
    }

    fn first_hand(&self, print: &Print) -> Result<Planes, Error> {
        let crop = self.stored(print.crop).scaled(1.0 / f64::from(self.scale.denominator()));
        let size = self.orientation.size(print.width, print.height);
        self.source
            .resized(crop, size, print.subsampling, self.orientation.stored_flips(), self.threads)
            .map(|planes| planes.oriented(self.orientation))
    }

    /// A box of the upright picture as a box of the stored one.
    fn stored(&self, mut crop: CropBox) -> CropBox {
        let (width, height) = self.orientation.size(self.full.0, self.full.1);
        if self.orientation.flip_x {
            crop.left = f64::from(width) - crop.left - crop.width;
        }
        if self.orientation.flip_y {
            crop.top = f64::from(height) - crop.top - crop.height;
        }
        if self.orientation.transpose {
            crop = CropBox { left: crop.top, top: crop.left, width: crop.height, height: crop.width };
        }
        crop
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

/// Resized prints on their way to the encoders.
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    prints: std::collections::VecDeque<(usize, Arc<Planes>)>,
    closed: bool,
}

impl Queue {
    fn push(&self, index: usize, planes: Arc<Planes>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.prints.push_back((index, planes));
        self.changed.notify_one();
    }

    fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    fn drain(&self, done: &(dyn Fn(usize, &Planes) -> Result<(), Error> + Sync)) -> Result<(), Error> {
        loop {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            while state.prints.is_empty() && !state.closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let Some((index, planes)) = state.prints.pop_front() else { return Ok(()) };
            drop(state);
            done(index, &planes)?;
        }
    }
}
