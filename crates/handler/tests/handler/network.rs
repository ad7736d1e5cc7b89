//! Requests in flight between workers and the store: each is sent, happens and
//! is answered when a schedule says so, fails when it says so, and may happen
//! although its sender has given it up.

use minilab_handler::store::{Cause, Head, Object, Operation, Page, Put, StoreError};
use minilab_handler::{Clock, MemoryStore, Store};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    Get(u64),
    Head,
    Put(Put),
    Delete,
    List(Option<String>),
    /// Not of the store: time passes.
    Pause,
}

#[derive(Debug)]
enum Answer {
    Object(Option<Object>),
    Head(Option<Head>),
    Done,
    Page(Page),
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The worker that sent it.
    pub(crate) worker: usize,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) ask: Ask,
}

impl Request {
    pub(crate) fn operation(&self) -> Option<Operation> {
        match self.ask {
            Ask::Get(_) => Some(Operation::Get),
            Ask::Head => Some(Operation::Head),
            Ask::Put(_) => Some(Operation::Put),
            Ask::Delete => Some(Operation::Delete),
            Ask::List(_) => Some(Operation::List),
            Ask::Pause => None,
        }
    }

    fn writes(&self) -> bool {
        matches!(self.ask, Ask::Put(_) | Ask::Delete)
    }

    /// For a trace.
    pub(crate) fn words(&self) -> String {
        let Self { bucket, key, ask, .. } = self;
        match ask {
            Ask::Put(put) => {
                format!(
                    "PUT {bucket}/{key} {:?}",
                    String::from_utf8_lossy(&put.bytes[..put.bytes.len().min(40)])
                )
            }
            Ask::Pause => "a pause".to_owned(),
            ask => format!(
                "{} {bucket}/{key}",
                format!("{ask:?}").split('(').next().unwrap_or_default().to_uppercase()
            ),
        }
    }
}

/// How a request ends for its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    /// It has not happened and never will.
    Refused(Cause),
    /// It has happened; the sender never learns it.
    DoneUnheard,
    /// It has not happened yet; the sender has given up.
    Later,
    /// It was lost on the way; the sender cannot know.
    Lost,
}

struct Flight {
    request: Request,
    answer: Option<Result<Answer, Cause>>,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Wire {
    next: usize,
    flights: BTreeMap<usize, Flight>,
    /// Writes whose senders gave up on them, oldest first.
    strays: Vec<Request>,
    now: Duration,
}

/// The wire between every worker and the one store.
pub(crate) struct Network {
    pub(crate) memory: Arc<MemoryStore>,
    wire: Mutex<Wire>,
}

impl Network {
    pub(crate) fn new(memory: Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self { memory, wire: Mutex::default() })
    }

    /// The requests that wait for the schedule, oldest first.
    pub(crate) fn waiting(&self) -> Vec<(usize, Request)> {
        let wire = self.wire.lock().unwrap();
        let waiting = wire.flights.iter().filter(|(_, flight)| flight.answer.is_none());
        waiting.map(|(id, flight)| (*id, flight.request.clone())).collect()
    }

    pub(crate) fn strays(&self) -> Vec<Request> {
        self.wire.lock().unwrap().strays.clone()
    }

    /// A request happens, or does not, and its sender is told what `end` says.
    pub(crate) fn answer(&self, id: usize, end: End) {
        let request = self.wire.lock().unwrap().flights[&id].request.clone();
        let answer = match end {
            End::Done => Ok(self.happen(&request)),
            End::Refused(cause) => Err(cause),
            End::DoneUnheard => {
                self.happen(&request);
                Err(Cause::TimedOut)
            }
            End::Later | End::Lost => Err(Cause::TimedOut),
        };
        let mut wire = self.wire.lock().unwrap();
        if end == End::Later && request.writes() {
            wire.strays.push(request);
        }
        if let Some(flight) = wire.flights.get_mut(&id) {
            flight.answer = Some(answer);
            if let Some(waker) = flight.waker.take() {
                waker.wake();
            }
        }
    }

    /// The `at`-th stray happens, or is lost.
    pub(crate) fn settle_stray(&self, at: usize, happens: bool) {
        let request = self.wire.lock().unwrap().strays.remove(at);
        if happens {
            self.happen(&request);
        }
    }

    fn happen(&self, request: &Request) -> Answer {
        let Request { bucket, key, ask, .. } = request;
        let memory = &self.memory;
        futures_executor::block_on(async {
            match ask {
                Ask::Get(max) => memory.get(bucket, key, *max).await.map(Answer::Object),
                Ask::Head => memory.head(bucket, key).await.map(Answer::Head),
                Ask::Put(put) => memory.put(bucket, key, put.clone()).await.map(|()| Answer::Done),
                Ask::Delete => memory.delete(bucket, key).await.map(|()| Answer::Done),
                Ask::List(from) => memory.list(bucket, key, from.as_deref()).await.map(Answer::Page),
                Ask::Pause => {
                    self.wire.lock().unwrap().now += Duration::from_millis(100);
                    Ok(Answer::Done)
                }
            }
        })
        .expect("the buckets exist")
    }
}

/// One worker's end of the wire: its store and its clock.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) network: Arc<Network>,
    pub(crate) worker: usize,
}

/// A request that was sent. Dropped without an answer, a write is a stray.
struct Pending<'a> {
    client: &'a Client,
    id: usize,
}

impl Client {
    fn send(&self, bucket: &str, key: &str, ask: Ask) -> Pending<'_> {
        let mut wire = self.network.wire.lock().unwrap();
        let id = wire.next;
        wire.next += 1;
        let request = Request { worker: self.worker, bucket: bucket.to_owned(), key: key.to_owned(), ask };
        wire.flights.insert(id, Flight { request, answer: None, waker: None });
        Pending { client: self, id }
    }

    async fn ask(&self, bucket: &str, key: &str, ask: Ask) -> Result<Answer, StoreError> {
        let operation = Request { worker: 0, bucket: String::new(), key: String::new(), ask: ask.clone() }
            .operation()
            .expect("of the store");
        self.send(bucket, key, ask).await.map_err(|cause| StoreError {
            operation,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            cause,
            detail: "scheduled".to_owned(),
        })
    }
}

impl Future for Pending<'_> {
    type Output = Result<Answer, Cause>;

    fn poll(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut wire = self.client.network.wire.lock().unwrap();
        let flight = wire.flights.get_mut(&self.id).expect("polled after its end");
        match flight.answer.take() {
            None => {
                flight.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Some(answer) => {
                wire.flights.remove(&self.id);
                Poll::Ready(answer)
            }
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut wire = self.client.network.wire.lock().unwrap();
        if let Some(flight) = wire.flights.remove(&self.id)
            && flight.answer.is_none()
            && flight.request.writes()
        {
            wire.strays.push(flight.request);
        }
    }
}

impl Store for Client {
    async fn get(&self, bucket: &str, key: &str, max_bytes: u64) -> Result<Option<Object>, StoreError> {
        match self.ask(bucket, key, Ask::Get(max_bytes)).await? {
            Answer::Object(object) => Ok(object),
            other => unreachable!("{other:?}"),
        }
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<Head>, StoreError> {
        match self.ask(bucket, key, Ask::Head).await? {
            Answer::Head(head) => Ok(head),
            other => unreachable!("{other:?}"),
        }
    }

    async fn put(&self, bucket: &str, key: &str, put: Put) -> Result<(), StoreError> {
        self.ask(bucket, key, Ask::Put(put)).await.map(|_| ())
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        self.ask(bucket, key, Ask::Delete).await.map(|_| ())
    }

    async fn list(&self, bucket: &str, prefix: &str, from: Option<&str>) -> Result<Page, StoreError> {
        match self.ask(bucket, prefix, Ask::List(from.map(str::to_owned))).await? {
            Answer::Page(page) => Ok(page),
            other => unreachable!("{other:?}"),
        }
    }
}

impl Clock for Client {
    fn now(&self) -> Duration {
        self.network.wire.lock().unwrap().now
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH
    }

    async fn sleep(&self, _duration: Duration) {
        let _ = self.send("", "", Ask::Pause).await;
    }
}
