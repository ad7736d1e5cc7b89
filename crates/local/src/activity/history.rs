//! Finished attempts in the data folder, so that a restart does not forget
//! what the console has shown.
//!
//! Owns: two files of JSON lines, the newer and the one before it, and a
//! thread that writes them. Refuses: holding anything up (what the disk is too
//! slow for is left out, and said), and being a promise: what a crash leaves
//! unwritten is gone. The facts are in the queue and in the buckets.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use crate::record::InvocationRecord;

/// How many finished invocations are remembered.
pub(super) const REMEMBERED: usize = 1000;
/// The newer file; the older one has `.1` after it.
const FILE: &str = "invocations.jsonl";
/// A file of this many bytes is put aside. Two of them are read at a start,
/// which takes a few hundredths of a second.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// A longer record is kept without the middle of its log.
const LONGEST: usize = 64 * 1024;
/// How many records may wait for the disk.
const WAITING: usize = 1024;
/// How long a written record may stay in the program.
const FLUSHED: Duration = Duration::from_millis(200);

/// The writing end.
#[derive(Debug)]
pub(crate) struct History {
    records: Option<SyncSender<Box<InvocationRecord>>>,
    writer: Option<JoinHandle<()>>,
}

impl History {
    /// The history of `folder` and what it holds, oldest first, at most
    /// [`REMEMBERED`]. Reads the disk; writes nothing until there is a record.
    ///
    /// # Errors
    /// The files cannot be read, or the thread cannot be started.
    pub(crate) fn open(folder: &Path) -> io::Result<(Self, Vec<InvocationRecord>)> {
        let path = folder.join(FILE);
        let mut found = read(&older(&path))?;
        let newer = read(&path)?;
        let count = newer.len();
        found.extend(newer);
        found.drain(..found.len().saturating_sub(REMEMBERED));
        let (records, waiting) = sync_channel(WAITING);
        let writer = std::thread::Builder::new().name("history".to_owned()).spawn(move || {
            if let Err(error) = keep(&path, count, &waiting) {
                tracing::warn!(%error, path = %path.display(), "finished invocations are no longer kept for the next start");
            }
        })?;
        Ok((Self { records: Some(records), writer: Some(writer) }, found))
    }

    /// Keeps it, unless the disk is too far behind.
    pub(crate) fn note(&self, record: &InvocationRecord) {
        let Some(records) = &self.records else { return };
        if let Err(TrySendError::Full(record)) = records.try_send(Box::new(record.clone())) {
            tracing::warn!(request_id = record.request_id, "the disk is too slow to keep an invocation");
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.records = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}

/// The records of a file. A line that is none, such as the last one that a
/// crash cut off, is passed over.
fn read(path: &Path) -> io::Result<Vec<InvocationRecord>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    // Whoever made it longer than it is let grow gets no more memory for it.
    let lines = BufReader::new(file.take(2 * MOST_BYTES)).split(b'\n');
    lines.filter_map(|line| line.map(|line| serde_json::from_slice(&line).ok()).transpose()).collect()
}

/// Writes what comes until nothing can come any more.
fn keep(path: &Path, mut count: usize, waiting: &Receiver<Box<InvocationRecord>>) -> io::Result<()> {
    let Ok(first) = waiting.recv() else { return Ok(()) };
    let mut next = Some(first);
    let mut file = append(path)?;
    loop {
        let record = match next.take() {
            Some(record) => record,
            None => match waiting.recv_timeout(FLUSHED) {
                Ok(record) => record,
                Err(RecvTimeoutError::Timeout) => {
                    file.flush()?;
                    next = waiting.recv().ok();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return file.flush(),
            },
        };
        if count >= REMEMBERED || file.stream_position()? >= MOST_BYTES {
            file.flush()?;
            std::fs::rename(path, older(path))?;
            file = append(path)?;
            count = 0;
        }
        file.write_all(line(*record).as_bytes())?;
        file.write_all(b"\n")?;
        count += 1;
    }
}

/// The end of the file, on a line of its own.
fn append(path: &Path) -> io::Result<BufWriter<File>> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(BufWriter::new(file))
}

fn line(mut record: InvocationRecord) -> String {
    let length: usize = record.log.iter().map(String::len).sum();
    if length > LONGEST && record.log.len() > 2 {
        let left_out = record.log.len() - 2;
        record.log.splice(1..=left_out, [format!("({left_out} lines are left out)")]);
    }
    // A function may answer with megabytes.
    let error = record.error.to_string().len();
    if error > LONGEST {
        record.error =
            json!({ "errorType": record.outcome, "errorMessage": format!("({error} bytes are left out)") });
    }
    serde_json::to_string(&record).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize, line: &str) -> InvocationRecord {
        serde_json::from_value(json!({
            "request_id": number.to_string(), "attempt": 1, "subjects": ["ObjectCreated:Put b/k"], "started_ms": 5,
            "outcome": "success", "error": null, "duration_ms": 1.5, "billed_ms": 2, "max_memory_mb": 3,
            "memory_mb": 128, "init_ms": null, "log_stream": "s", "log": ["START", line, "REPORT"],
        }))
        .unwrap()
    }

    fn numbers(records: &[InvocationRecord]) -> Vec<usize> {
        records.iter().map(|record| record.request_id.parse().unwrap()).collect()
    }

    #[test]
    fn what_was_noted_is_there_at_the_next_start_after_a_torn_line_too() {
        let folder = tempfile::tempdir().unwrap();
        let (history, found) = History::open(folder.path()).unwrap();
        assert_eq!(found, []);
        history.note(&record(1, "a"));
        history.note(&record(2, "b"));
        drop(history);
        let mut file = OpenOptions::new().append(true).open(folder.path().join(FILE)).unwrap();
        file.write_all(b"{\"request_id\":\"torn").unwrap();
        let (history, found) = History::open(folder.path()).unwrap();
        assert_eq!(found, [record(1, "a"), record(2, "b")]);
        history.note(&record(3, "c"));
        drop(history);
        assert_eq!(numbers(&History::open(folder.path()).unwrap().1), [1, 2, 3]);
    }

    #[test]
    fn the_newest_are_kept_and_the_files_do_not_grow() {
        let folder = tempfile::tempdir().unwrap();
        let most = 2 * REMEMBERED + 500;
        for part in 0..5 {
            let (history, _) = History::open(folder.path()).unwrap();
            for number in part * most / 5..(part + 1) * most / 5 {
                // As fast as the disk takes them, so that none is left out.
                let sent = history.records.as_ref().unwrap().send(Box::new(record(number, "x")));
                assert_eq!(sent, Ok(()));
            }
        }
        let (_history, found) = History::open(folder.path()).unwrap();
        assert_eq!(numbers(&found), (most - REMEMBERED..most).collect::<Vec<_>>());
        let lines = |path: &Path| read(path).unwrap().len();
        let path = folder.path().join(FILE);
        assert_eq!((lines(&older(&path)), lines(&path)), (REMEMBERED, 500));
    }

    #[test]
    fn a_long_log_keeps_its_first_and_last_line_and_a_long_error_its_type() {
        let folder = tempfile::tempdir().unwrap();
        let (history, _) = History::open(folder.path()).unwrap();
        let error = json!({ "errorMessage": "x".repeat(LONGEST) });
        let outcome = "Big".to_owned();
        history.note(&InvocationRecord { outcome, error, ..record(1, &"x".repeat(LONGEST)) });
        drop(history);
        let found = History::open(folder.path()).unwrap().1;
        assert_eq!(found[0].log, ["START", "(1 lines are left out)", "REPORT"]);
        assert_eq!(found[0].error["errorType"], "Big");
    }
}
