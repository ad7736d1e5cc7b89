//! One attempt of an invocation, as the log and the console show it. Owns its
//! fields and its REPORT line; refuses to know what ran it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One attempt as the log and the console show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvocationRecord {
    /// The same for every attempt of one event.
    pub request_id: String,
    /// 1 for the first.
    pub attempt: u32,
    /// What the event names, for an S3 event: `ObjectCreated:Put bucket/key`.
    pub subjects: Vec<String>,
    /// Milliseconds since 1970.
    pub started_ms: i64,
    /// `success`, `interrupted`, or the error's type.
    pub outcome: String,
    /// The error as JSON; null on success.
    pub error: Value,
    /// From handing over the event to its answer.
    pub duration_ms: f64,
    /// Whole milliseconds, initialisation included, as Lambda bills.
    pub billed_ms: u64,
    /// The most memory that the environment's processes held, in MB.
    pub max_memory_mb: u64,
    /// The memory limit, in MB.
    pub memory_mb: u32,
    /// Present on a cold start.
    pub init_ms: Option<f64>,
    /// Which environment ran it: its log stream.
    pub log_stream: String,
    /// START, the function's output, END and REPORT.
    pub log: Vec<String>,
}

impl InvocationRecord {
    /// The REPORT line, fields apart by tabs as Lambda prints them.
    pub(crate) fn report(&self) -> String {
        use std::fmt::Write as _;
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB",
            self.request_id, self.duration_ms, self.billed_ms, self.memory_mb, self.max_memory_mb
        );
        if let Some(init) = self.init_ms {
            let _ = write!(line, "\tInit Duration: {init:.2} ms");
        }
        match self.outcome.as_str() {
            "success" => {}
            "Sandbox.Timedout" => line.push_str("\tStatus: timeout"),
            other => {
                let _ = write!(line, "\tStatus: error\tError Type: {other}");
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_line_has_lambdas_fields_in_its_order() {
        let mut record = InvocationRecord {
            request_id: "id".to_owned(),
            attempt: 1,
            subjects: Vec::new(),
            started_ms: 0,
            outcome: "success".to_owned(),
            error: Value::Null,
            duration_ms: 12.345,
            billed_ms: 20,
            max_memory_mb: 40,
            memory_mb: 128,
            init_ms: Some(7.0),
            log_stream: String::new(),
            log: Vec::new(),
        };
        assert_eq!(
            record.report(),
            "REPORT RequestId: id\tDuration: 12.35 ms\tBilled Duration: 20 ms\tMemory Size: 128 MB\tMax Memory Used: 40 MB\tInit Duration: 7.00 ms"
        );
        record.init_ms = None;
        record.outcome = "Runtime.ExitError".to_owned();
        assert!(record.report().ends_with("\tStatus: error\tError Type: Runtime.ExitError"));
    }
}
