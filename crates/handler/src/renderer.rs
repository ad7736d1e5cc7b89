//! The renderer as the handler sees it: bytes in, prints out one by one. Owns
//! the thread on which pictures are made and the net under it; refuses to let
//! a codec's panic be anything but a rejected picture.

use crate::arrival::Arrival;
use crate::verdict::Failure;
use bytes::Bytes;
use futures_channel::{mpsc, oneshot};
use futures_util::SinkExt;
use minilab_imaging::{Error, Limits, Recipe, Rendition};
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// One picture to make prints of.
#[derive(Debug, Clone)]
pub struct Job {
    /// The source object's bytes.
    pub picture: Bytes,
    /// The source object's key.
    pub source_key: String,
    /// What to make.
    pub recipe: Arc<Recipe>,
    /// What it may cost.
    pub limits: Limits,
}

/// Makes prints.
pub trait Renderer: Send + Sync {
    /// Makes every print of `job`, handing each to `prints` when it is done.
    /// A closed channel is no error: nobody wants the rest. On an error, prints
    /// that were handed over are not a result.
    ///
    /// Gives the number of prints that the picture has.
    fn render(
        &self,
        job: Job,
        prints: mpsc::Sender<Rendition>,
    ) -> impl Future<Output = Result<usize, Failure>> + Send;

    /// The same for a picture that is still coming; that of `job` does not count.
    /// `None` where its bytes broke off: whatever was handed over is no result.
    fn render_coming(
        &self,
        coming: Arc<Arrival>,
        job: Job,
        prints: mpsc::Sender<Rendition>,
    ) -> impl Future<Output = Result<Option<usize>, Failure>> + Send {
        async move {
            let Some(picture) = coming.whole().await else { return Ok(None) };
            self.render(Job { picture, ..job }, prints).await.map(Some)
        }
    }
}

impl<R: Renderer> Renderer for Arc<R> {
    async fn render(&self, job: Job, prints: mpsc::Sender<Rendition>) -> Result<usize, Failure> {
        (**self).render(job, prints).await
    }

    async fn render_coming(
        &self,
        coming: Arc<Arrival>,
        job: Job,
        prints: mpsc::Sender<Rendition>,
    ) -> Result<Option<usize>, Failure> {
        (**self).render_coming(coming, job, prints).await
    }
}

struct Work {
    job: Job,
    /// In place of the job's picture, where that is still coming.
    coming: Option<Arc<Arrival>>,
    prints: mpsc::Sender<Rendition>,
    done: oneshot::Sender<Result<Option<usize>, Failure>>,
}

/// `minilab_imaging::render` on a thread of its own, one picture after the
/// other. The thread starts with the first picture and stays: buffers that a
/// thread keeps are warm for the next one.
#[derive(Debug)]
pub struct ThreadRenderer {
    queue: Mutex<Option<std::sync::mpsc::Sender<Work>>>,
    /// Monotonic time, for [`Limits::seconds`].
    now: fn() -> Duration,
}

impl ThreadRenderer {
    /// A renderer whose thread is not started yet. `now` is monotonic time
    /// since some fixed moment: a picture that takes longer than its limit is
    /// rejected.
    pub const fn new(now: fn() -> Duration) -> Self {
        Self { queue: Mutex::new(None), now }
    }

    fn submit(&self, work: Work) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let work = match queue.as_ref() {
            None => work,
            Some(sender) => match sender.send(work) {
                Ok(()) => return,
                // The thread is gone: a new one takes it.
                Err(std::sync::mpsc::SendError(work)) => work,
            },
        };
        *queue = Some(self.start(work));
    }

    fn start(&self, first: Work) -> std::sync::mpsc::Sender<Work> {
        let (sender, receiver) = std::sync::mpsc::channel::<Work>();
        let now = self.now;
        let spawned = std::thread::Builder::new().name("render".to_owned()).spawn(move || {
            for Work { job, coming, prints, done } in std::iter::once(first).chain(receiver) {
                // Nobody listens any more when the invocation was given up.
                let _ = done.send(render_caught(job, coming.as_deref(), &prints, now));
            }
        });
        if let Err(error) = spawned {
            // `first` is dropped with the closure, so its caller is told.
            tracing::error!(%error, "no thread could be started for rendering");
        }
        sender
    }
}

fn render_caught(
    mut job: Job,
    coming: Option<&Arrival>,
    prints: &mpsc::Sender<Rendition>,
    now: fn() -> Duration,
) -> Result<Option<usize>, Failure> {
    let sink = |rendition: Rendition| {
        // Waits while the uploads are behind, so that finished prints do not
        // pile up; an error means that nobody wants them.
        let _ = futures_executor::block_on(prints.clone().send(rendition));
    };
    let seconds = Duration::from_secs(job.limits.seconds.into());
    let caught = |work: &dyn Fn() -> Result<Option<minilab_imaging::Summary>, Error>| {
        catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|panic| Err(codec_panic(panic.as_ref())))
            .map(|summary| summary.map(|summary| summary.prints))
            .map_err(Failure::Picture)
    };
    // Begins once all bytes have come: a slow network is no fault of the picture.
    let end = OnceLock::new();
    let stop = || now() >= *end.get_or_init(|| now() + seconds);
    if let Some(coming) = coming {
        let Job { source_key, recipe, limits, .. } = &job;
        let stop = || coming.is_settled() && stop();
        // A picture may be sound before its file is whole.
        let sink = |rendition| {
            if coming.wait().is_some() {
                sink(rendition);
            }
        };
        let made =
            caught(&|| minilab_imaging::render_arriving(coming, source_key, recipe, limits, &sink, &stop));
        let Some(picture) = coming.wait() else { return Ok(None) };
        if let Some(made) = made? {
            return Ok(Some(made));
        }
        job.picture = picture;
    }
    let Job { picture, source_key, recipe, limits } = &job;
    let _ = stop();
    caught(&|| minilab_imaging::render_until(picture, source_key, recipe, limits, &sink, &stop).map(Some))
}

fn codec_panic(panic: &(dyn Any + Send)) -> Error {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Error::Codec { format: "picture", detail: format!("it panicked: {words}") }
}

impl ThreadRenderer {
    async fn answer(
        &self,
        job: Job,
        coming: Option<Arc<Arrival>>,
        prints: mpsc::Sender<Rendition>,
    ) -> Result<Option<usize>, Failure> {
        let key = job.source_key.clone();
        let (done, answer) = oneshot::channel();
        self.submit(Work { job, coming, prints, done });
        answer.await.unwrap_or(Err(Failure::RendererLost { key }))
    }
}

impl Renderer for ThreadRenderer {
    async fn render(&self, job: Job, prints: mpsc::Sender<Rendition>) -> Result<usize, Failure> {
        let key = job.source_key.clone();
        // `None` is for what is still coming.
        self.answer(job, None, prints).await?.ok_or(Failure::RendererLost { key })
    }

    async fn render_coming(
        &self,
        coming: Arc<Arrival>,
        job: Job,
        prints: mpsc::Sender<Rendition>,
    ) -> Result<Option<usize>, Failure> {
        self.answer(job, Some(coming), prints).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_codec_failure_with_its_words() {
        for (panic, words) in [
            (Box::new("index 3") as Box<dyn Any + Send>, "index 3"),
            (Box::new("len 2".to_owned()), "len 2"),
            (Box::new(7_u8), "no message"),
        ] {
            let error = codec_panic(panic.as_ref());
            assert_eq!(error.code(), "codec-failed");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn the_thread_answers_again_and_again() {
        let renderer = ThreadRenderer::new(|| Duration::ZERO);
        let job = Job {
            picture: Bytes::from_static(b"not a picture"),
            source_key: "a.txt".to_owned(),
            recipe: Arc::new(Recipe::built_in()),
            limits: Limits::default(),
        };
        for _ in 0..3 {
            let (sender, _receiver) = mpsc::channel(1);
            let result = futures_executor::block_on(renderer.render(job.clone(), sender));
            assert!(matches!(&result, Err(Failure::Picture(Error::NotAnImage { .. }))), "{result:?}");
        }
    }

    #[test]
    fn a_picture_that_takes_longer_than_its_limit_is_rejected() {
        use std::sync::atomic::{AtomicU64, Ordering};
        static SECONDS: AtomicU64 = AtomicU64::new(0);
        // A second passes whenever somebody looks.
        let renderer = ThreadRenderer::new(|| Duration::from_secs(SECONDS.fetch_add(1, Ordering::Relaxed)));
        let picture = Bytes::from_static(include_bytes!("../../../tests/golden/png/rgb8/input.png"));
        let recipe = Arc::new(Recipe::built_in());
        for (seconds, expected) in [(1, "over-limit"), (900, "")] {
            let (sender, receiver) = mpsc::channel(100);
            let job = Job {
                picture: picture.clone(),
                source_key: "a.png".to_owned(),
                recipe: recipe.clone(),
                limits: Limits { seconds, ..Limits::default() },
            };
            let rendered = futures_executor::block_on(renderer.render(job, sender));
            let code = match &rendered {
                Err(Failure::Picture(error)) => error.code(),
                _ => "",
            };
            assert_eq!(code, expected, "{seconds} s: {rendered:?}");
            drop(receiver);
        }
    }

    #[test]
    fn the_time_that_bytes_take_to_come_is_not_the_pictures() {
        use std::sync::atomic::{AtomicU64, Ordering};
        static SECONDS: AtomicU64 = AtomicU64::new(0);
        let renderer = ThreadRenderer::new(|| Duration::from_secs(SECONDS.load(Ordering::Relaxed)));
        let photo = include_bytes!("../../../examples/photos/dogs at the window.jpg");
        let recipe = "[source]\nbucket = \"film\"\n[processed]\nbucket = \"paper\"\n\
            [[output]]\nkey = \"{key}\"\nresize = { width = 100 }\n";
        let recipe = Arc::new(Recipe::parse(recipe).unwrap());
        let (coming, bringer) = Arrival::new(photo.len() as u64);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let (first, rest) = photo.split_at(photo.len() / 2);
                bringer.bring(first);
                std::thread::sleep(Duration::from_millis(100));
                SECONDS.store(10_000, Ordering::Relaxed);
                bringer.bring(rest);
                bringer.finish();
            });
            let limits = Limits { seconds: 60, ..Limits::default() };
            let job = Job { picture: Bytes::new(), source_key: "a.jpg".to_owned(), recipe, limits };
            let (sender, _receiver) = mpsc::channel(9);
            let rendered = futures_executor::block_on(renderer.render_coming(coming, job, sender));
            assert_eq!(rendered, Ok(Some(1)));
        });
    }
}
