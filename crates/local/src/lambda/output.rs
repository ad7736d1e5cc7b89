//! What an environment prints, line by line, with the invocation it belongs to.
//!
//! Owns: splitting standard output and standard error into lines, and the log
//! of the current invocation. Refuses: holding more than a bounded amount; what
//! is left out is counted in the log itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::activity::{Activity, Feed};

/// A longer line is cut, as `CloudWatch` cuts events at 256 KiB.
const MOST_LINE_BYTES: usize = 256 * 1024;
/// More than this of one invocation is counted, not kept.
const MOST_LOG_BYTES: usize = 1024 * 1024;

#[derive(Default)]
struct Log {
    request_id: String,
    lines: Vec<String>,
    bytes: usize,
    left_out: usize,
}

/// The output of one environment.
pub(super) struct Output {
    feed: Feed,
    function: String,
    log: Mutex<Log>,
    /// Reads so far, so that `settle` can see whether more arrived.
    reads: AtomicUsize,
}

impl Output {
    pub(super) fn new(feed: Feed, function: &str) -> Self {
        Self { feed, function: function.to_owned(), log: Mutex::default(), reads: AtomicUsize::new(0) }
    }

    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on lines belong to `request_id`.
    pub(super) fn begin(&self, request_id: &str) {
        request_id.clone_into(&mut self.log().request_id);
    }

    /// The platform's own lines: START, END, REPORT, failures.
    pub(super) fn platform(&self, text: &str) {
        for line in text.lines() {
            self.push(line.to_owned());
        }
    }

    /// The log so far, leaving none.
    pub(super) fn take(&self) -> Vec<String> {
        let mut log = self.log();
        let mut lines = std::mem::take(&mut log.lines);
        log.bytes = 0;
        let left_out = std::mem::take(&mut log.left_out);
        if left_out > 0 {
            lines.push(format!("… {left_out} more lines were printed and left out of this log"));
        }
        lines
    }

    fn push(&self, line: String) {
        let request_id = {
            let mut log = self.log();
            if log.bytes + line.len() <= MOST_LOG_BYTES {
                log.bytes += line.len();
                log.lines.push(line.clone());
            } else {
                log.left_out += 1;
            }
            log.request_id.clone()
        };
        tracing::info!(target: "minilab_local::function", function = self.function, request_id, "{line}");
        self.feed.send(Activity::Log { request_id, line });
    }

    /// Reads one pipe to its end.
    pub(super) async fn read(self: Arc<Self>, mut pipe: impl AsyncRead + Unpin) {
        let mut buffer = vec![0_u8; 16 * 1024];
        let mut line = Vec::new();
        loop {
            let count = match pipe.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => count,
            };
            for part in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
                let room = MOST_LINE_BYTES - line.len();
                line.extend_from_slice(&part[..part.len().min(room)]);
                if part.ends_with(b"\n") {
                    self.push(to_text(&line));
                    line.clear();
                }
            }
            self.reads.fetch_add(1, Ordering::Relaxed);
        }
        if !line.is_empty() {
            self.push(to_text(&line));
        }
    }

    /// Waits until what was printed before the answer has most likely been
    /// read: a millisecond without a new read. Lines that come later stand in
    /// the log of the environment's next invocation, as on Lambda.
    pub(super) async fn settle(&self) {
        for _ in 0..20 {
            let before = self.reads.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.reads.load(Ordering::Relaxed) == before {
                return;
            }
        }
    }
}

fn to_text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.trim_ascii_end()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(bytes: &[u8]) -> Vec<String> {
        let output = Arc::new(Output::new(Feed::new(), "f"));
        Arc::clone(&output).read(bytes).await;
        output.take()
    }

    #[tokio::test]
    async fn lines_are_split_and_an_unfinished_one_counts() {
        assert_eq!(lines_of(b"a\r\n\nb\xff\nc").await, ["a", "", "b\u{fffd}", "c"]);
    }

    #[tokio::test]
    async fn a_line_without_end_and_a_flood_are_bounded() {
        let lines = lines_of(&vec![b'x'; 3 * MOST_LINE_BYTES]).await;
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MOST_LINE_BYTES]);
        let lines = lines_of(&b"0123456789\n".repeat(200_000)).await;
        assert!(lines.iter().map(String::len).sum::<usize>() <= MOST_LOG_BYTES + 100);
        assert!(lines.last().unwrap().contains("more lines were printed"), "{:?}", lines.last());
    }
}
