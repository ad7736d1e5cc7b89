//! The function's log: one JSON object a line, in the shape of Lambda's own JSON
//! log format, so that Lambda filters it by level and CloudWatch finds its
//! fields.
//!
//! Owns: which fields a line has. Refuses: to fail; a closed standard output is
//! no reason to end in the middle of an invocation.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.

use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::io::Write as _;
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

/// The span field that becomes `requestId`.
const REQUEST_ID: &str = "request_id";

/// A line. The first fields are Lambda's own names.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: String,
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<Value>,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn timestamp(now: SystemTime) -> String {
    humantime::format_rfc3339_millis(now.max(SystemTime::UNIX_EPOCH)).to_string()
}

/// Writes one line to standard output, whole.
pub(crate) fn print(line: &str) {
    let mut bytes = line.as_bytes().to_vec();
    bytes.push(b'\n');
    let _ = std::io::stdout().lock().write_all(&bytes);
}

/// What an event or a span says, by field.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        // For whoever traces; a log has no use for them.
        if !field.name().starts_with("otel.") {
            self.0.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

/// Writes events as lines, each with the fields of the spans it happened in.
pub(crate) struct JsonLines<W> {
    write: W,
}

/// To standard output: events of `level` and more important ones.
pub(crate) fn to_stdout<S>(level: Level) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    JsonLines { write: print }.with_filter(wanted(level))
}

/// Our spans whatever the level: an error's line needs its request id too.
fn wanted<S>(level: Level) -> impl Filter<S> {
    let ours = |metadata: &Metadata<'_>| metadata.is_span() && metadata.target().starts_with("minilab");
    let ours: FilterFn<_> = filter_fn(ours).with_max_level_hint(LevelFilter::INFO);
    let events = filter_fn(move |metadata| metadata.is_event() && *metadata.level() <= level);
    ours.or(events.with_max_level_hint(LevelFilter::from_level(level)))
}

impl<W, S> Layer<S> for JsonLines<W>
where
    W: Fn(&str) + 'static,
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut all = Fields::default();
        for span in
            context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root)
        {
            if let Some(Fields(fields)) = span.extensions().get() {
                all.0.extend(fields.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        event.record(&mut all);
        let message = match all.0.remove("message") {
            Some(Value::String(message)) => message,
            other => other.map_or_else(String::new, |value| value.to_string()),
        };
        let line = Line {
            timestamp: timestamp(SystemTime::now()),
            level: event.metadata().level().as_str(),
            message,
            request_id: all.0.remove(REQUEST_ID),
            fields: &all.0,
        };
        if let Ok(line) = serde_json::to_string(&line) {
            (self.write)(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minilab_handler::logged::Stored;
    use minilab_handler::{Account, Logged, Outcome, State};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tracing_subscriber::layer::SubscriberExt as _;

    fn logged(level: Level, work: impl FnOnce()) -> Vec<Value> {
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let sink = lines.clone();
        let write = move |line: &str| sink.lock().unwrap().push(serde_json::from_str(line).unwrap());
        let subscriber = tracing_subscriber::registry().with(JsonLines { write }.with_filter(wanted(level)));
        tracing::subscriber::with_default(subscriber, work);
        let lines = lines.lock().unwrap();
        lines.clone()
    }

    #[test]
    fn a_line_has_lambdas_fields_and_those_of_its_spans() {
        let lines = logged(Level::INFO, || {
            let outer = tracing::info_span!(target: "minilab", "invocation", request_id = "r-1");
            let inner = tracing::info_span!(target: "minilab", parent: &outer, "reconcile",
                key = "a b.jpg", verdict = tracing::field::Empty, otel.status_code = "ERROR");
            inner.record("verdict", "printed");
            inner.in_scope(|| tracing::info!(target: "minilab", ms = 1.5, key = "nearer", "stored"));
            tracing::debug!(target: "minilab", "too much");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["message"], "stored");
        assert_eq!((&line["level"], &line["requestId"]), (&"INFO".into(), &"r-1".into()));
        assert_eq!(
            (&line["key"], &line["verdict"], &line["ms"]),
            (&"nearer".into(), &"printed".into(), &1.5.into())
        );
        assert!(line.get("request_id").is_none() && line.get("otel.status_code").is_none(), "{line}");
        let time = line["timestamp"].as_str().unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok() && time.ends_with('Z'), "{time}");
    }

    #[test]
    fn an_errors_line_has_its_request_id_even_where_only_errors_are_logged() {
        let lines = logged(Level::ERROR, || {
            let span = tracing::info_span!(target: "minilab", "invocation", request_id = "r-1");
            span.in_scope(|| {
                tracing::info!(target: "minilab", "unimportant");
                tracing::error!(target: "elsewhere", "broken");
            });
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&line["message"], &line["requestId"]), (&"broken".into(), &"r-1".into()));
    }

    #[test]
    fn what_is_logged_of_an_outcome_is_read_back() {
        let state = State::Rejected { code: "malformed", reason: "broken".to_owned() };
        let outcome = Outcome { state, rounds: 1, bytes_in: 10, retries: 2, ..Outcome::default() };
        let (bucket, key, elapsed) = ("b".to_owned(), "ü b.jpg".to_owned(), Duration::from_micros(1500));
        let account = Account { bucket, key, outcome, elapsed };
        let (key, print) = (account.key.clone(), "s/ü b.webp".to_owned());
        let stored = Stored { key, print, width: 3, height: 2, frames: 1, bytes: 9, ms: 0.25 };
        let brief = Logged::of(&account).map(Logged::brief);
        let told: Vec<Logged> = Logged::of(&account).chain(brief).chain([Logged::Stored(stored)]).collect();
        let lines = logged(Level::INFO, || told.iter().for_each(Logged::write));
        let read: Vec<_> = lines.iter().filter_map(|line| Logged::parse(&line.to_string())).collect();
        assert_eq!(read, told);
        let brief = &lines[3];
        assert_eq!((&brief["message"], &brief["level"]), (&"reconciled".into(), &"INFO".into()));
        assert!(brief.get("bucket").is_none() && brief.get("get_ms").is_none(), "{brief}");
    }
}
