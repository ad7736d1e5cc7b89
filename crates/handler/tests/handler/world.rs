//! A platform and its users, driven by one schedule: pictures come, change and
//! go; each change is announced at least once, late and in any order; workers
//! run the real `Handler::reconcile`, crash at any request, are tried three
//! times and then wait in a dead-letter queue until they are sent again.
//!
//! Single-threaded and without an executor: the schedule polls each worker. A
//! general tool (shuttle, loom) would explore threads and locks, which the
//! handler does not have; here every choice is about requests and events, a
//! schedule costs microseconds, and a failing one can be made simpler.

use crate::choices::Choices;
use crate::mutants::{Distorted, Mutant};
use crate::network::{Ask, Client, End, Network, Request};
use crate::support::prints_of;
use futures_channel::mpsc;
use futures_util::SinkExt;
use minilab_handler::store::{Cause, Metadata, Object};
use minilab_handler::verdict::Failure;
use minilab_handler::{Handler, Job, MemoryStore, Options, Outcome, Patience, Renderer, Store, tag};
use minilab_imaging::recipe::report_key;
use minilab_imaging::{Error, Recipe, Rendition};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

/// One print whose key two sources share, one under the source's own key, two
/// whose keys are the picture's.
static RECIPE: LazyLock<Arc<Recipe>> = LazyLock::new(|| {
    let text = r#"
[source]
bucket = "film"
[processed]
bucket = "paper"
[[output]]
key = "shared/{stem}.png"
format = "png"
[[output]]
key = "mosaic-{key}"
pixelate = { cells = 8 }
format = "png"
[[output]]
key = "sized/{key}_{width}x{height}.{ext}"
resize = { width = 200 }
format = "source"
"#;
    Arc::new(Recipe::parse(text).expect("the recipe is valid"))
});

static DIGEST: LazyLock<String> = LazyLock::new(|| RECIPE.digest());

/// Sources. The last shares the stem, and so the key of a print, with the
/// first; it is never a picture, or there would be two right answers.
const KEYS: [&str; 3] = ["a.png", "b.png", "a.jpg"];

/// What a picture can be: three good ones of two sizes, one that fails half
/// way, one that is none.
const PICTURES: [&str; 5] = ["400x300 one", "640x480 two", "400x300 three", "400x300 torn", "not a picture"];

/// Something to do next.
enum Action {
    Poll(usize),
    Answer(usize, Request),
    Stray(usize),
    Deliver(usize),
    Redrive(usize),
    Change,
    Crash(usize),
}

/// A change of a source, announced.
#[derive(Debug, Clone)]
struct Event {
    id: usize,
    key: &'static str,
    attempts: u32,
    /// The source right after the change: what an event-applying worker believes.
    snapshot: Option<Object>,
}

type Run = Pin<Box<dyn Future<Output = Result<Outcome, Failure>>>>;

struct Worker {
    id: usize,
    event: Event,
    run: Run,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct TextRenderer;

impl Renderer for TextRenderer {
    async fn render(&self, job: Job, mut prints: mpsc::Sender<Rendition>) -> Result<usize, Failure> {
        let torn = job.picture.ends_with(b"torn");
        let made = prints_of(&job.recipe, &job.source_key, &job.picture)?;
        let count = made.len();
        for (at, rendition) in made.into_iter().enumerate() {
            if torn && at == 2 {
                return Err(Failure::Picture(Error::NotAnImage { found: "half a picture".to_owned() }));
            }
            if prints.send(rendition).await.is_err() {
                break;
            }
        }
        Ok(count)
    }
}

/// How hard a schedule is.
struct Weather {
    /// In percent of the requests, until `faults` are used up.
    fault_rate: usize,
    faults: usize,
    crashes: usize,
    changes: usize,
}

pub(crate) struct World {
    choices: Choices,
    network: Arc<Network>,
    weather: Weather,
    mutant: Option<Mutant>,
    /// Strays outlive even the platform's retry: what no protocol can stand.
    immortal_strays: bool,
    workers: Vec<Worker>,
    events: Vec<Event>,
    dead: Vec<Event>,
    /// Which event each worker worked for.
    worked_for: Vec<usize>,
    next_event: usize,
    /// What happened, for people; filled only when asked for.
    trace: Option<String>,
    pub(crate) steps: usize,
    pub(crate) gave_up: usize,
}

/// No schedule takes so many steps unless it never ends.
const ENDLESS: usize = 20_000;

/// What the bucket of prints holds of one key: the bytes of a print or nothing
/// of a report, the source's etag and key, the recipe.
type Held = BTreeMap<String, (Option<bytes::Bytes>, Metadata)>;

impl World {
    pub(crate) fn new(mut choices: Choices, mutant: Option<Mutant>) -> Self {
        let weather = Weather {
            fault_rate: [0, 5, 25, 70][choices.below(4)],
            faults: choices.below(40),
            crashes: choices.below(5),
            changes: 1 + choices.below(6),
        };
        Self {
            choices,
            network: Network::new(Arc::new(MemoryStore::new(["film", "paper"]).with_page(2))),
            weather,
            mutant,
            immortal_strays: false,
            workers: Vec::new(),
            events: Vec::new(),
            dead: Vec::new(),
            worked_for: Vec::new(),
            next_event: 0,
            trace: None,
            steps: 0,
            gave_up: 0,
        }
    }

    pub(crate) fn traced(mut self) -> Self {
        self.trace = Some(String::new());
        self
    }

    pub(crate) fn with_immortal_strays(mut self) -> Self {
        self.immortal_strays = true;
        self
    }

    fn note(&mut self, words: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{:4} {}", self.steps, words());
        }
    }

    pub(crate) fn into_choices_and_trace(self) -> (Vec<u32>, String) {
        (self.choices.taken(), self.trace.unwrap_or_default())
    }

    /// Runs until nothing is left to happen; then what is wrong, if anything.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        while let Some(action) = self.next() {
            self.steps += 1;
            if self.steps > ENDLESS {
                return Err("it never ends".to_owned());
            }
            self.act(action);
        }
        let (expected, found) = (self.expected(), self.found());
        if expected == found {
            return Ok(());
        }
        let mut wrong = String::new();
        for (key, held) in &found {
            match expected.get(key) {
                None => _ = write!(wrong, "orphaned: {key}; "),
                Some(wanted) if wanted != held => _ = write!(wrong, "stale: {key}; "),
                Some(_) => {}
            }
        }
        for key in expected.keys().filter(|key| !found.contains_key(*key)) {
            let _ = write!(wrong, "missing: {key}; ");
        }
        Err(wrong)
    }

    fn next(&mut self) -> Option<Action> {
        let mut actions: Vec<Action> = Vec::new();
        actions.extend(
            (0..self.workers.len())
                .filter(|at| self.workers[*at].woken.0.load(Ordering::Relaxed))
                .map(Action::Poll),
        );
        actions.extend(self.network.waiting().into_iter().map(|(id, request)| Action::Answer(id, request)));
        if self.workers.len() < 4 {
            actions.extend((0..self.events.len()).map(Action::Deliver));
            actions.extend((0..self.dead.len()).map(Action::Redrive));
        }
        if self.weather.changes > 0 {
            actions.push(Action::Change);
        }
        if self.weather.crashes > 0 && self.choices.chance(5) {
            actions.extend((0..self.workers.len()).map(Action::Crash));
        }
        // Rarely, so that they stay long enough to meet another worker.
        let strays = self.network.strays().len();
        if strays > 0 && (actions.is_empty() || self.choices.chance(8)) {
            actions.extend((0..strays).map(Action::Stray));
        }
        let count = actions.len();
        (count > 0).then(|| actions.swap_remove(self.choices.below(count)))
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Poll(at) => self.poll(at),
            Action::Answer(id, request) => {
                let end = self.end(&request);
                self.note(|| format!("worker {}: {} {end:?}", request.worker, request.words()));
                self.network.answer(id, end);
            }
            Action::Stray(at) => self.settle_stray(at),
            Action::Deliver(at) => {
                let event = self.events.remove(at);
                self.start(event);
            }
            Action::Redrive(at) => {
                let event = self.dead.remove(at);
                self.note(|| format!("event {} is sent again from the dead-letter queue", event.id));
                self.start(Event { attempts: 0, ..event });
            }
            Action::Change => self.change(),
            Action::Crash(at) => {
                self.weather.crashes -= 1;
                let worker = self.workers.remove(at);
                self.note(|| format!("worker {} crashes", worker.id));
                drop(worker.run);
                self.failed(worker.event);
            }
        }
    }

    fn end(&mut self, request: &Request) -> End {
        if matches!(request.ask, Ask::Pause) || self.weather.faults == 0 {
            return End::Done;
        }
        let rate = self.weather.fault_rate;
        if !self.choices.chance(rate) {
            return End::Done;
        }
        self.weather.faults -= 1;
        [
            End::Refused(Cause::Throttled),
            End::Refused(Cause::Unavailable),
            End::Lost,
            End::DoneUnheard,
            End::Later,
        ][self.choices.below(5)]
    }

    fn settle_stray(&mut self, at: usize) {
        let happens = !self.choices.chance(25);
        let request = self.network.strays()[at].clone();
        self.note(|| {
            let what = if happens { "happens after all" } else { "is lost for good" };
            format!("worker {}: {} {what}", request.worker, request.words())
        });
        self.network.settle_stray(at, happens);
    }

    /// A source is written or deleted, and announced: at least once.
    fn change(&mut self) {
        self.weather.changes -= 1;
        let key = KEYS[self.choices.below(KEYS.len())];
        let picture = match self.choices.below(PICTURES.len() + 2) {
            at if key == "a.jpg" => (at % 2 == 0).then_some("not a picture"),
            at => PICTURES.get(at).copied(),
        };
        self.note(|| format!("{key} becomes {picture:?}"));
        let memory = &self.network.memory;
        match picture {
            Some(bytes) => memory.upload("film", key, bytes),
            None => memory.remove("film", key),
        }
        let snapshot = futures_executor::block_on(memory.get("film", key, u64::MAX)).expect("memory");
        let copies = 1 + usize::from(self.choices.chance(20));
        for _ in 0..copies {
            let event = Event { id: self.next_event, key, attempts: 0, snapshot: snapshot.clone() };
            self.next_event += 1;
            self.events.push(event);
        }
    }

    /// As a person does who sends every key again: an event each, on a fair day.
    pub(crate) fn announce_all_again(&mut self) {
        self.immortal_strays = false;
        self.weather = Weather { fault_rate: 0, faults: 0, crashes: 0, changes: 0 };
        for key in KEYS {
            self.events.push(Event { id: self.next_event, key, attempts: 0, snapshot: None });
            self.next_event += 1;
        }
    }

    fn start(&mut self, event: Event) {
        // What an earlier attempt has sent is over by the time of the next one.
        if !self.immortal_strays {
            loop {
                let strays = self.network.strays();
                let of_event = |request: &Request| self.worked_for[request.worker] == event.id;
                let Some(at) = strays.iter().position(of_event) else { break };
                self.settle_stray(at);
            }
        }
        let id = self.worked_for.len();
        self.worked_for.push(event.id);
        self.note(|| format!("worker {id} starts for {} (event {})", event.key, event.id));
        let client = Client { network: self.network.clone(), worker: id };
        let store = Distorted::new(self.mutant, event.key, event.snapshot.clone(), client.clone());
        let patience =
            Patience { tries: 2, first: Duration::from_millis(1), longest: Duration::from_millis(1) };
        let rounds = if self.mutant == Some(Mutant::NoLoop) { 1 } else { 3 };
        let options = Options { patience, rounds, uploads: 2, queue: 1, ..Options::default() };
        let handler = Handler::new(RECIPE.clone(), RECIPE.limits, store, TextRenderer, client, options);
        let key = event.key;
        let run: Run = Box::pin(async move { handler.reconcile(key, Duration::from_hours(9)).await });
        self.workers.push(Worker { id, event, run, woken: Arc::new(Woken(AtomicBool::new(true))) });
    }

    fn poll(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        worker.woken.0.store(false, Ordering::Relaxed);
        let waker = worker.woken.clone().into();
        let Poll::Ready(result) = worker.run.as_mut().poll(&mut Context::from_waker(&waker)) else { return };
        let worker = self.workers.remove(at);
        self.note(|| {
            format!(
                "worker {} ends: {}",
                worker.id,
                match &result {
                    Ok(outcome) => format!("{:?}", outcome.state),
                    Err(failure) => failure.to_string(),
                }
            )
        });
        match result {
            Ok(_) => {}
            Err(failure) if self.mutant.is_some_and(|mutant| mutant.swallows(&failure)) => {}
            Err(_) => self.failed(worker.event),
        }
    }

    fn failed(&mut self, mut event: Event) {
        event.attempts += 1;
        if event.attempts < 3 {
            self.events.push(event);
        } else {
            self.gave_up += 1;
            self.note(|| format!("event {} is given up", event.id));
            self.dead.push(event);
        }
    }

    fn expected(&self) -> Held {
        let digest = &*DIGEST;
        let memory = &self.network.memory;
        let mut all = Held::new();
        for key in memory.keys("film") {
            let source = memory.object("film", &key).expect("listed");
            let metadata = Metadata::from([
                (tag::SOURCE.to_owned(), tag::source(&key)),
                (tag::SOURCE_BUCKET.to_owned(), "film".to_owned()),
                (tag::SOURCE_ETAG.to_owned(), source.etag),
                (tag::RECIPE.to_owned(), digest.clone()),
            ]);
            match prints_of(&RECIPE, &key, &source.bytes) {
                Ok(prints) if !source.bytes.ends_with(b"torn") => {
                    for print in prints {
                        all.insert(print.key, (Some(print.bytes.into()), metadata.clone()));
                    }
                }
                _ => _ = all.insert(report_key(&key), (None, metadata)),
            }
        }
        all
    }

    fn found(&self) -> Held {
        let memory = &self.network.memory;
        let keys = memory.keys("paper").into_iter();
        keys.map(|key| {
            let stored = memory.object("paper", &key).expect("listed");
            let bytes = (!key.starts_with("failures/")).then_some(stored.bytes);
            (key, (bytes, stored.metadata))
        })
        .collect()
    }
}
