//! How an invocation ended, in the words and JSON that Lambda uses.
//!
//! Owns: error payloads, the START / END / REPORT lines, the failure
//! destination's envelope. Refuses: deciding what happens next.

use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::Identity;

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function answered.
    Success(Bytes),
    /// The function reported an error, or its environment ended.
    Failure(Failure),
    /// The cloud was shut down meanwhile; the attempt does not count.
    Interrupted,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For example `Sandbox.Timedout` or the function's own type.
    pub error_type: String,
    /// The error as JSON: `errorType`, `errorMessage`, perhaps `stackTrace`.
    pub payload: Bytes,
    /// What stands in the log; the platform's own failures only.
    pub(super) log_line: Option<String>,
}

impl Failure {
    fn platform(request_id: &str, error_type: &str, message: &str) -> Self {
        let text = format!("RequestId: {request_id} Error: {message}");
        Self {
            error_type: error_type.to_owned(),
            payload: Bytes::from(json!({ "errorType": error_type, "errorMessage": text }).to_string()),
            log_line: Some(format!("{text}\n{error_type}")),
        }
    }

    /// The function reported `body` with the error type of its header.
    pub(super) fn reported(error_type: Option<&str>, body: Bytes) -> Self {
        let in_body = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|value| value.get("errorType")?.as_str().map(str::to_owned));
        let error_type =
            error_type.map(str::to_owned).or(in_body).unwrap_or_else(|| "Runtime.Unknown".to_owned());
        let error_type = shorten(&error_type, MOST_TYPE);
        Self { error_type, payload: body, log_line: None }
    }

    /// The deadline passed.
    pub(super) fn timed_out(request_id: &str, timeout: Duration) -> Self {
        let message = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
        Self {
            log_line: Some(format!("{} {request_id} {message}", timestamp(OffsetDateTime::now_utc()))),
            ..Self::platform(request_id, "Sandbox.Timedout", &message)
        }
    }

    /// The program ended before it answered.
    pub(super) fn exited(request_id: &str, status: ExitStatus) -> Self {
        let message = match describe(status) {
            None => "Runtime exited without providing a reason".to_owned(),
            Some(how) => format!("Runtime exited with error: {how}"),
        };
        Self::platform(request_id, "Runtime.ExitError", &message)
    }

    /// An external extension ended, and the environment with it.
    pub(super) fn extension_crashed(request_id: &str, what: &str) -> Self {
        Self::platform(request_id, "Extension.Crash", what)
    }

    /// The program could not be started.
    pub(super) fn not_started(request_id: &str, why: &str) -> Self {
        Self::platform(request_id, "Runtime.InvalidEntrypoint", why)
    }

    /// The answer is larger than Lambda delivers.
    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
        let error_type = "Function.ResponseSizeTooLarge";
        Self {
            error_type: error_type.to_owned(),
            payload: Bytes::from(json!({ "errorType": error_type, "errorMessage": message }).to_string()),
            log_line: Some(message),
        }
    }

    /// The error as JSON, or as a JSON string when the function sent none.
    pub(super) fn payload_json(&self) -> Value {
        json_or_text(&self.payload)
    }
}

/// How the process ended; `None` for status 0. Signal names as Go prints them,
/// since that is what Lambda's own log shows.
fn describe(status: ExitStatus) -> Option<String> {
    use std::os::unix::process::ExitStatusExt as _;
    if let Some(signal) = status.signal() {
        let name = match signal {
            4 => "illegal instruction",
            6 => "aborted",
            7 => "bus error",
            8 => "floating point exception",
            9 => "killed",
            11 => "segmentation fault",
            15 => "terminated",
            other => return Some(format!("signal: {other}")),
        };
        return Some(format!("signal: {name}"));
    }
    match status.code() {
        Some(0) | None => None,
        Some(code) => Some(format!("exit status {code}")),
    }
}

pub(super) fn json_or_text(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// How much of an error a record has.
const MOST_ERROR: usize = 4096;
/// How much of an error's type.
const MOST_TYPE: usize = 256;

fn shorten(text: &str, most: usize) -> String {
    if text.len() <= most {
        text.to_owned()
    } else {
        format!("{}…", &text[..text.floor_char_boundary(most)])
    }
}

/// An error as a record has it: a function may answer with megabytes, which
/// only the failure destination gets.
pub(super) fn recorded(error: Value) -> Value {
    let whole = error.to_string();
    if whole.len() <= MOST_ERROR {
        return error;
    }
    let message = error.get("errorMessage").and_then(Value::as_str).unwrap_or(&whole);
    let mut short = json!({ "errorMessage": shorten(message, MOST_ERROR) });
    if let Some(name) = error.get("errorType").and_then(Value::as_str) {
        short["errorType"] = json!(shorten(name, MOST_TYPE));
    }
    short
}

/// `2026-01-31T12:00:00.000Z`.
pub(crate) fn timestamp(moment: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    moment.format(format).unwrap_or_default()
}

/// Why an event went to the failure destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    RetriesExhausted,
    EventAgeExceeded,
    /// Lambda documents no word for it in the record; this is its error's name.
    RecursiveInvocation,
}

impl Condition {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::RecursiveInvocation => "RecursiveInvocationException",
        }
    }
}

/// The record that Lambda sends to an on-failure destination. `response` is
/// the last attempt's error, absent when the event was never tried.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>.
pub(super) fn envelope(
    identity: &Identity,
    request_id: &str,
    condition: Condition,
    attempts: u32,
    request: &[u8],
    response: Option<&[u8]>,
) -> Value {
    let mut envelope = json!({
        "version": "1.0",
        "timestamp": timestamp(OffsetDateTime::now_utc()),
        "requestContext": {
            "requestId": request_id,
            "functionArn": format!("{}:$LATEST", identity.arn()),
            "condition": condition.name(),
            "approximateInvokeCount": attempts,
        },
        "requestPayload": json_or_text(request),
    });
    if let Some(response) = response {
        envelope["responseContext"] =
            json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" });
        envelope["responsePayload"] = json_or_text(response);
    }
    envelope
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    fn message(failure: &Failure) -> String {
        failure.payload_json()["errorMessage"].as_str().unwrap().to_owned()
    }

    #[test]
    fn failures_read_as_on_lambda() {
        assert_eq!(
            message(&Failure::timed_out("id", Duration::from_secs(3))),
            "RequestId: id Error: Task timed out after 3.00 seconds"
        );
        for (raw, text) in [
            (9, "RequestId: id Error: Runtime exited with error: signal: killed"),
            (256, "RequestId: id Error: Runtime exited with error: exit status 1"),
            (0, "RequestId: id Error: Runtime exited without providing a reason"),
        ] {
            assert_eq!(message(&Failure::exited("id", ExitStatus::from_raw(raw))), text);
        }
    }

    #[test]
    fn a_record_has_no_more_of_an_error_than_people_read() {
        let small = json!({ "errorType": "T", "errorMessage": "m", "stackTrace": ["a"] });
        assert_eq!(recorded(small.clone()), small);
        let name = "ü".repeat(300_000);
        let big = json!({ "errorType": name, "errorMessage": "x".repeat(6 << 20), "stackTrace": [] });
        for error in [big.clone(), json!("ü".repeat(3 << 20)), json!(vec![0; 5000])] {
            let short = recorded(error).to_string();
            assert!((MOST_ERROR..2 * MOST_ERROR).contains(&short.len()), "{}", short.len());
        }
        let failure = Failure::reported(None, Bytes::from(big.to_string()));
        assert!(
            failure.error_type.len() < 2 * MOST_TYPE && name.starts_with(&failure.error_type[..MOST_TYPE])
        );
        assert_eq!(failure.payload_json(), big);
    }

    #[test]
    fn the_envelope_has_the_documented_fields() {
        let identity = Identity {
            region: "us-east-1".into(),
            account: "123456789012".into(),
            function: "f".into(),
            mark: String::new(),
        };
        let made = envelope(
            &identity,
            "id",
            Condition::RetriesExhausted,
            3,
            b"{\"a\":1}",
            Some(b"{\"errorMessage\":\"x\"}"),
        );
        assert_eq!(
            made["requestContext"]["functionArn"],
            "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST"
        );
        assert_eq!(made["requestContext"]["condition"], "RetriesExhausted");
        assert_eq!(made["requestContext"]["approximateInvokeCount"], 3);
        assert_eq!(made["requestPayload"]["a"], 1);
        assert_eq!(made["responseContext"]["functionError"], "Unhandled");
        assert_eq!(made["responsePayload"]["errorMessage"], "x");
        let aged = envelope(&identity, "id", Condition::EventAgeExceeded, 0, b"{}", None);
        assert!(aged.get("responseContext").is_none());
    }
}
