//! A renderer, a clock and a store that do what a test tells them.

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::SinkExt;
use minilab_handler::store::{Cause, Head, Object, Operation, Page, Put, StoreError};
use minilab_handler::verdict::Failure;
use minilab_handler::{Clock, Handler, Job, MemoryStore, Options, Renderer, Store};
use minilab_imaging::recipe::{Format, PrintName, report_key};
use minilab_imaging::{Error, Recipe, Rendition};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// No test runs out of time unless it means to.
pub(crate) const NO_DEADLINE: Duration = Duration::from_hours(1);

/// Two prints whose keys are the source's alone, one whose key is the picture's.
pub(crate) const RECIPE: &str = r#"
[source]
bucket = "film"
[processed]
bucket = "paper"
[[output]]
key = "small/{key}"
resize = { width = 100 }
format = "webp"
[[output]]
key = "mosaic-{key}"
pixelate = { cells = 8 }
format = "png"
[[output]]
key = "sized/{key}_{width}x{height}.{ext}"
resize = { width = 200 }
format = "source"
"#;

/// Pictures are text, `WIDTHxHEIGHT anything`; what does not begin so is no
/// picture. A print is its source with a prefix.
#[derive(Debug, Default)]
pub(crate) struct FakeRenderer {
    pub(crate) renders: AtomicUsize,
}

pub(crate) fn prints_of(recipe: &Recipe, key: &str, picture: &[u8]) -> Result<Vec<Rendition>, Error> {
    let not_an_image = || Error::NotAnImage { found: "text".to_owned() };
    let text = std::str::from_utf8(picture).map_err(|_| not_an_image())?;
    let size = text.split(' ').next().and_then(|size| size.split_once('x'));
    let (width, height) = size.ok_or_else(not_an_image)?;
    let width = width.parse().map_err(|_| not_an_image())?;
    let height = height.parse().map_err(|_| not_an_image())?;
    let prints = recipe.outputs.iter().enumerate().map(|(output, o)| {
        let format = Format::Png;
        let name = PrintName { source_key: key, format, width, height };
        let key = o.key.expand(&name).expect("test keys are short");
        Rendition {
            output,
            key,
            format,
            width,
            height,
            frames: 1,
            bytes: format!("print {output} of {text}").into(),
        }
    });
    Ok(prints.collect())
}

impl Renderer for FakeRenderer {
    async fn render(&self, job: Job, mut prints: mpsc::Sender<Rendition>) -> Result<usize, Failure> {
        self.renders.fetch_add(1, Ordering::Relaxed);
        for rendition in prints_of(&job.recipe, &job.source_key, &job.picture)? {
            if prints.send(rendition).await.is_err() {
                break;
            }
        }
        Ok(job.recipe.outputs.len())
    }
}

/// Time passes only while someone waits.
#[derive(Debug, Default)]
pub(crate) struct FakeClock(AtomicU64);

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_767_323_045)
    }

    async fn sleep(&self, duration: Duration) {
        self.0.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a future until it is done, or until nothing will ever wake it again;
/// then it is dropped where it stands, as in a crash.
pub(crate) fn until_stuck<F: Future>(future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = woken.clone().into();
    while woken.0.swap(false, Ordering::Relaxed) {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
    }
    None
}

/// What happens to one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Go,
    Fail(Cause),
    /// It is not done, and its caller never hears of it.
    CrashBefore,
    /// It is done, and its caller never hears of it.
    CrashAfter,
}

/// An operation about to happen: its number from 0, what, and on which key.
pub(crate) struct Call<'a> {
    pub(crate) number: usize,
    pub(crate) operation: Operation,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
}

type Script = Box<dyn FnMut(&Call<'_>) -> Step + Send>;

/// A memory store whose every operation asks a script first.
pub(crate) struct Scripted {
    pub(crate) memory: Arc<MemoryStore>,
    script: Mutex<(usize, Script)>,
}

impl Scripted {
    pub(crate) fn new(
        memory: Arc<MemoryStore>,
        script: impl FnMut(&Call<'_>) -> Step + Send + 'static,
    ) -> Self {
        Self { memory, script: Mutex::new((0, Box::new(script))) }
    }

    pub(crate) fn calls(&self) -> usize {
        self.script.lock().unwrap().0
    }

    async fn step(&self, operation: Operation, bucket: &str, key: &str) -> Result<bool, StoreError> {
        let step = {
            let mut script = self.script.lock().unwrap();
            let number = script.0;
            script.0 += 1;
            (script.1)(&Call { number, operation, bucket, key })
        };
        match step {
            Step::Go => Ok(false),
            Step::CrashAfter => Ok(true),
            Step::CrashBefore => std::future::pending().await,
            Step::Fail(cause) => Err(StoreError {
                operation,
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                cause,
                detail: "scripted".to_owned(),
            }),
        }
    }
}

async fn unless<T>(crash: bool, result: T) -> T {
    if crash { std::future::pending().await } else { result }
}

impl Store for Scripted {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        let crash = self.step(Operation::Get, bucket, key).await?;
        unless(crash, self.memory.get(bucket, key, max_bytes).await).await
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        let crash = self.step(Operation::Head, bucket, key).await?;
        unless(crash, self.memory.head(bucket, key).await).await
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        let crash = self.step(Operation::Put, bucket, key).await?;
        unless(crash, self.memory.put(bucket, key, put).await).await
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let crash = self.step(Operation::Delete, bucket, key).await?;
        unless(crash, self.memory.delete(bucket, key).await).await
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        let crash = self.step(Operation::List, bucket, prefix).await?;
        unless(crash, self.memory.list(bucket, prefix, from).await).await
    }
}

pub(crate) type TestHandler<S> = Handler<S, Arc<FakeRenderer>, Arc<FakeClock>>;

pub(crate) fn recipe() -> Arc<Recipe> {
    Arc::new(Recipe::parse(RECIPE).expect("the test's recipe is valid"))
}

pub(crate) fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(["film", "paper"]).with_page(2))
}

pub(crate) fn handler<S: Store>(store: S) -> TestHandler<S> {
    let recipe = recipe();
    let limits = recipe.limits;
    Handler::new(recipe, limits, store, Arc::default(), Arc::default(), Options::default())
}

/// What the processed bucket must hold for the source bucket as it is: prints
/// with their bytes, reports by key alone (they hold the time).
pub(crate) fn expected(memory: &MemoryStore) -> BTreeMap<String, Bytes> {
    let recipe = recipe();
    let mut all = BTreeMap::new();
    for key in memory.keys("film") {
        let source = memory.object("film", &key).expect("listed");
        match prints_of(&recipe, &key, &source.bytes) {
            Ok(prints) => all.extend(prints.into_iter().map(|print| (print.key, Bytes::from(print.bytes)))),
            Err(_) => {
                all.insert(report_key(&key), Bytes::new());
            }
        }
    }
    all
}

/// What the processed bucket holds, in the form of [`expected`].
pub(crate) fn found(memory: &MemoryStore) -> BTreeMap<String, Bytes> {
    let keys = memory.keys("paper").into_iter();
    keys.map(|key| {
        let bytes = memory.object("paper", &key).expect("listed").bytes;
        let is_report = key.starts_with("failures/");
        (key, if is_report { Bytes::new() } else { bytes })
    })
    .collect()
}
