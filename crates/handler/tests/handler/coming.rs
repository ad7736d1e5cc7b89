//! Sources whose bytes come one after the other.

use crate::support::{FakeClock, NO_DEADLINE, expected, found, handler, memory, prints_of};
use bytes::Bytes;
use futures_channel::mpsc;
use futures_executor::block_on;
use futures_util::{SinkExt, StreamExt, future, stream};
use minilab_handler::store::{Cause, Head, Object, Opened, Operation, Page, Put, StoreError};
use minilab_handler::verdict::Failure;
use minilab_handler::{Arrival, Handler, Job, MemoryStore, Options, Renderer, State, Store, ThreadRenderer};
use minilab_imaging::{Arriving, Recipe, Rendition};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

/// A store that hands on bytes as they come.
struct Streaming {
    memory: Arc<MemoryStore>,
    /// Bodies that will break off in their middle.
    breaks: AtomicUsize,
    /// Set by whoever has seen the first byte: the last one waits for it.
    seen: Option<Arc<AtomicBool>>,
}

impl Store for Streaming {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        self.memory.get(bucket, key, max_bytes).await
    }

    async fn open(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Opened>, StoreError> {
        let (head, bytes) = match self.memory.get(bucket, key, max_bytes).await? {
            Some(Object::Whole { head, bytes }) => (head, bytes),
            other => return Ok(other.map(Opened::There)),
        };
        let fewer = |left: usize| left.checked_sub(1);
        let breaks = self.breaks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok();
        let error = StoreError {
            operation: Operation::Get,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            cause: Cause::Unavailable,
            detail: "broken off".to_owned(),
        };
        let (first, last) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
        let seen = self.seen.clone();
        let mut patience = 1_000_000;
        let last = future::poll_fn(move |context| {
            patience -= 1;
            if seen.as_ref().is_some_and(|seen| !seen.load(Ordering::Relaxed)) && patience > 0 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(if breaks || patience == 0 { Err(error.clone()) } else { Ok(last.clone()) })
        });
        let chunks = first.chunks(1000).map(Bytes::copy_from_slice).map(Ok).collect::<Vec<_>>();
        Ok(Some(Opened::Coming { head, body: stream::iter(chunks).chain(stream::once(last)).boxed() }))
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        self.memory.head(bucket, key).await
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        self.memory.put(bucket, key, put).await
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.memory.delete(bucket, key).await
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        self.memory.list(bucket, prefix, from).await
    }
}

#[test]
fn what_comes_is_printed_and_what_breaks_off_is_read_again() {
    for picture in ["400x300 one", "not a picture"] {
        for breaks in [0, 1] {
            let memory = memory();
            memory.upload("film", "a.png", picture);
            let store = Streaming { memory: memory.clone(), breaks: breaks.into(), seen: None };
            let outcome = block_on(handler(store).reconcile("a.png", NO_DEADLINE)).expect("settles");
            assert_eq!(found(&memory), expected(&memory), "{picture:?} {breaks}");
            assert_eq!((outcome.rounds, outcome.retries), (1, breaks as u32), "{picture:?} {breaks}");
            assert_eq!(outcome.bytes_in, picture.len() as u64, "{picture:?} {breaks}");
        }
    }
}

/// Says when it has seen the first bytes of a picture that is coming.
struct Eager(Arc<AtomicBool>);

impl Renderer for Eager {
    async fn render(&self, job: Job, mut prints: mpsc::Sender<Rendition>) -> Result<usize, Failure> {
        for rendition in prints_of(&job.recipe, &job.source_key, &job.picture)? {
            prints.send(rendition).await.expect("the prints are wanted");
        }
        Ok(job.recipe.outputs.len())
    }

    async fn render_coming(
        &self,
        coming: Arc<Arrival>,
        job: Job,
        prints: mpsc::Sender<Rendition>,
    ) -> Result<Option<usize>, Failure> {
        let (first, seen) = (coming.clone(), self.0.clone());
        std::thread::spawn(move || seen.store(first.read(0, 5, &mut Vec::new()) == 5, Ordering::Relaxed));
        let Some(picture) = coming.whole().await else { return Ok(None) };
        self.render(Job { picture, ..job }, prints).await.map(Some)
    }
}

#[test]
fn rendering_begins_before_the_last_byte_has_come() {
    let memory = memory();
    memory.upload("film", "a.png", "400x300 one");
    let seen = Arc::new(AtomicBool::new(false));
    let store = Streaming { memory: memory.clone(), breaks: 0.into(), seen: Some(seen.clone()) };
    let recipe = crate::support::recipe();
    let limits = recipe.limits;
    let clock = Arc::new(FakeClock::default());
    let handler = Handler::new(recipe, limits, store, Eager(seen), clock, Options::default());
    let outcome = block_on(handler.reconcile("a.png", NO_DEADLINE)).expect("settles");
    assert_eq!((outcome.retries, found(&memory)), (0, expected(&memory)));
}

#[test]
fn prints_of_a_photo_are_the_same_however_it_comes() {
    const KEY: &str = "dogs at the window.jpg";
    let path = format!("{}/../../examples/photos/{KEY}", env!("CARGO_MANIFEST_DIR"));
    let photo = std::fs::read(path).expect("the sample photo is there");
    let recipe = "[source]\nbucket = \"film\"\n[processed]\nbucket = \"paper\"\n\
        [[output]]\nkey = \"w/{stem}.webp\"\nresize = { width = 300 }\nformat = \"webp\"\n\
        [[output]]\nkey = \"j/{stem}.jpg\"\nresize = { width = 900 }\nformat = \"jpeg\"\n";
    let recipe = Arc::new(Recipe::parse(recipe).expect("the test's recipe is valid"));
    let reconciled = |store: Streaming| {
        let memory = store.memory.clone();
        let (clock, limits) = (Arc::new(FakeClock::default()), recipe.limits);
        let renderer = ThreadRenderer::new(|| Duration::ZERO);
        let handler = Handler::new(recipe.clone(), limits, store, renderer, clock, Options::default());
        let state = block_on(handler.reconcile(KEY, NO_DEADLINE)).expect("nothing is in the way").state;
        (state, found(&memory))
    };
    let store = |breaks: usize, photo: &[u8]| {
        let memory = memory();
        memory.upload("film", KEY, photo.to_vec());
        Streaming { memory, breaks: breaks.into(), seen: None }
    };
    let (state, whole) = reconciled(store(0, &photo));
    assert_eq!((state, whole.len()), (State::Printed, 2));
    assert_eq!(reconciled(store(1, &photo)), (State::Printed, whole));
    let (state, found) = reconciled(store(0, &photo[..photo.len() / 2]));
    assert!(matches!(state, State::Rejected { .. }) && found.len() == 1, "{state:?}");
}
