//! The renderer as the handler sees it: bytes in, prints out one by one. Owns
//! the thread on which pictures are made and the net under it; refuses to let
//! a codec's panic be anything but a rejected picture.

use crate::verdict::Failure;
use bytes::Bytes;
use futures_channel::{mpsc, oneshot};
use futures_util::SinkExt;
use minilab_imaging::{Error, Limits, Recipe, Rendition};
use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

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
    fn render(
        &self,
        job: Job,
        prints: mpsc::Sender<Rendition>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

impl<R: Renderer> Renderer for Arc<R> {
    async fn render(&self, job: Job, prints: mpsc::Sender<Rendition>) -> Result<(), Failure> {
        (**self).render(job, prints).await
    }
}

struct Work {
    job: Job,
    prints: mpsc::Sender<Rendition>,
    done: oneshot::Sender<Result<(), Failure>>,
}

/// `minilab_imaging::render` on a thread of its own, one picture after the
/// other. The thread starts with the first picture and stays: buffers that a
/// thread keeps are warm for the next one.
#[derive(Debug, Default)]
pub struct ThreadRenderer {
    queue: Mutex<Option<std::sync::mpsc::Sender<Work>>>,
}

impl ThreadRenderer {
    /// A renderer whose thread is not started yet.
    pub const fn new() -> Self {
        Self { queue: Mutex::new(None) }
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
        *queue = Some(Self::start(work));
    }

    fn start(first: Work) -> std::sync::mpsc::Sender<Work> {
        let (sender, receiver) = std::sync::mpsc::channel::<Work>();
        let spawned = std::thread::Builder::new().name("render".to_owned()).spawn(move || {
            for Work { job, prints, done } in std::iter::once(first).chain(receiver) {
                // Nobody listens any more when the invocation was given up.
                let _ = done.send(render_caught(&job, &prints));
            }
        });
        if let Err(error) = spawned {
            // `first` is dropped with the closure, so its caller is told.
            tracing::error!(%error, "no thread could be started for rendering");
        }
        sender
    }
}

fn render_caught(job: &Job, prints: &mpsc::Sender<Rendition>) -> Result<(), Failure> {
    let sink = |rendition: Rendition| {
        // Waits while the uploads are behind, so that finished prints do not
        // pile up; an error means that nobody wants them.
        let _ = futures_executor::block_on(prints.clone().send(rendition));
    };
    let rendered = catch_unwind(AssertUnwindSafe(|| {
        minilab_imaging::render(&job.picture, &job.source_key, &job.recipe, &job.limits, &sink)
    }));
    match rendered {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failure::Picture(error)),
        Err(panic) => Err(Failure::Picture(codec_panic(panic.as_ref()))),
    }
}

fn codec_panic(panic: &(dyn Any + Send)) -> Error {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Error::Codec { format: "picture", detail: format!("it panicked: {words}") }
}

impl Renderer for ThreadRenderer {
    async fn render(&self, job: Job, prints: mpsc::Sender<Rendition>) -> Result<(), Failure> {
        let key = job.source_key.clone();
        let (done, answer) = oneshot::channel();
        self.submit(Work { job, prints, done });
        answer.await.unwrap_or(Err(Failure::RendererLost { key }))
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
        let renderer = ThreadRenderer::new();
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
}
