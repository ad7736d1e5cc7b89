//! What became of each picture, as `render` and `demo` print it: a table for
//! people, a JSON object a line for programs, and the exit status.

use std::io::Write as _;

use serde::Serialize;

use crate::ending::Ending;
use crate::globals::Globals;
use crate::table::{Table, bytes, milliseconds};

/// What became of one picture; one line of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Picture {
    /// The local file.
    pub(crate) source: String,
    /// Its key in the source bucket.
    pub(crate) key: String,
    pub(crate) status: Status,
    /// A rejection's stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Size of the source.
    pub(crate) bytes: u64,
    /// From the beginning of the work on it to its last print.
    pub(crate) ms: f64,
    pub(crate) prints: Vec<Print>,
}

impl Picture {
    /// A picture of `bytes` that nothing is wrong with so far.
    pub(crate) fn new(source: String, key: String, bytes: u64) -> Self {
        let (status, prints) = (Status::Written, Vec::new());
        Self { source, key, status, code: None, reason: None, bytes, ms: 0.0, prints }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// All its prints are there.
    Written,
    /// The picture is at fault.
    Rejected,
    /// Something else is.
    Failed,
}

#[derive(Debug, Serialize)]
pub(crate) struct Print {
    pub(crate) key: String,
    /// The local file.
    pub(crate) path: String,
    pub(crate) format: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) frames: u32,
    pub(crate) bytes: usize,
    /// From the beginning of the work on the picture until this print was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<f64>,
}

/// Prints the table, unless JSON lines were printed already or nothing is wanted,
/// and names every picture without prints on standard error.
pub(crate) fn report(globals: &Globals, pictures: &[Picture]) -> anyhow::Result<Ending> {
    let count = |status| pictures.iter().filter(|picture| picture.status == status).count();
    let (rejected, failed) = (count(Status::Rejected), count(Status::Failed));
    let mut out = std::io::stdout().lock();
    if !globals.json && !globals.quiet {
        let mut table = Table::new(&["source", "print", "dimensions>", "bytes>", "ms>"]);
        for picture in pictures {
            for print in &picture.prints {
                let frames =
                    if print.frames > 1 { format!(" × {} frames", print.frames) } else { String::new() };
                table.row([
                    picture.key.clone(),
                    print.key.clone(),
                    format!("{} × {}{frames}", print.width, print.height),
                    bytes(print.bytes as u64),
                    print.ms.map_or_else(|| "–".to_owned(), milliseconds),
                ]);
            }
        }
        let prints: usize = pictures.iter().map(|picture| picture.prints.len()).sum();
        write!(out, "{}", table.render())?;
        writeln!(
            out,
            "\n{} pictures, {prints} prints, {rejected} rejected, {failed} failed",
            pictures.len()
        )?;
    }
    out.flush()?;
    if !globals.json {
        for picture in pictures {
            let word = match picture.status {
                Status::Written => continue,
                Status::Rejected => "rejected",
                Status::Failed => "failed",
            };
            let reason = picture.reason.as_deref().unwrap_or("no reason is known");
            let _ = writeln!(std::io::stderr(), "{word}: {}: {reason}", picture.source);
        }
    }
    Ok(if rejected + failed == 0 { Ending::Done } else { Ending::SomeRejected })
}

/// One line of `--json`.
pub(crate) fn line(picture: &Picture) {
    if let Ok(line) = serde_json::to_string(picture) {
        // A reader that is gone is noticed when the run ends.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}
