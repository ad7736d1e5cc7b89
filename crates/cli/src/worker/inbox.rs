//! Events that were acknowledged to their sender and are not done: one SQLite
//! file. Owns durability (an event that was put is on disk) and what becomes of
//! events that a dead process left; refuses to know what an event says, and when
//! to try again.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokio::sync::{Notify, oneshot};

use super::metrics::InboxCounts;

/// `taken` is 1 while the event is worked on. One process owns the folder, so
/// that an event found taken at opening was left by a process that died.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS inbox (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    body          BLOB    NOT NULL,
    received_ms   INTEGER NOT NULL,
    due_ms        INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    taken         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS inbox_due ON inbox (taken, due_ms, id);
CREATE TABLE IF NOT EXISTS dead_letters (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    body        BLOB    NOT NULL,
    received_ms INTEGER NOT NULL,
    failed_ms   INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    reason      TEXT    NOT NULL
) STRICT;
";

const DATABASE: &str = "inbox.db";

/// How many processes may die over one event before it is put aside: with that
/// many, it is likelier the cause than a bystander.
const INTERRUPTIONS: u32 = 5;

/// Requests that share one transaction, and so one sync of the disk.
const TOGETHER: usize = 128;

/// An event that was taken out to be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) body: Vec<u8>,
    /// When it was put, in milliseconds since 1970.
    pub(super) received_ms: i64,
    /// How often it was taken, this time included.
    pub(super) attempts: u32,
}

/// What [`Inbox::take`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    Entry(Entry),
    /// Nothing is due before this time, in milliseconds since 1970; with
    /// `None`, nothing at all.
    Nothing {
        due_ms: Option<i64>,
    },
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeadLetter {
    pub(super) body: Vec<u8>,
    pub(super) received_ms: i64,
    pub(super) failed_ms: i64,
    pub(super) attempts: u32,
    pub(super) reason: String,
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// The time `pause` from now, in milliseconds since 1970.
fn after(pause: Duration) -> i64 {
    now_ms().saturating_add(pause.as_millis() as i64)
}

/// Work for the one thread that owns the connection.
trait Job: Send {
    fn work(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()>;
    /// Whether an event was put by it, or has another time.
    fn rings(&self) -> bool;
    /// After the commit, or instead of it.
    fn answer(self: Box<Self>, committed: Result<(), String>);
}

struct Asked<F, T> {
    work: Option<F>,
    value: Option<T>,
    rings: bool,
    answer: oneshot::Sender<Result<T, String>>,
}

impl<F, T> Job for Asked<F, T>
where
    F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn work(&mut self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.value = Some(work(tx)?);
        }
        Ok(())
    }

    fn rings(&self) -> bool {
        self.rings
    }

    fn answer(self: Box<Self>, committed: Result<(), String>) {
        let value = self.value.ok_or_else(|| "another request of the same transaction failed".to_owned());
        // Nobody waits any more where a connection was closed.
        let _ = self.answer.send(committed.and(value));
    }
}

/// The events of one data folder.
pub(super) struct Inbox {
    jobs: mpsc::Sender<Box<dyn Job>>,
    /// Rung when an event was put, or has another time, by the thread that knows:
    /// whoever asked for it may have gone.
    changed: Arc<Notify>,
    /// Held, not read: one process owns a data folder.
    _lock: File,
}

impl Inbox {
    /// Opens or creates the folder, locks it for this process, and makes events
    /// due again that a dead process had taken, `pause` from now; one over which
    /// several processes died becomes a dead letter.
    pub(super) fn open(folder: &Path, pause: Duration) -> anyhow::Result<Self> {
        // Keys of sources are nobody else's business.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
        let place = folder.join("lock");
        let lock = File::create(&place).with_context(|| format!("cannot write {}", place.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "the data folder {} is in use by another worker; give each its own --data-dir",
                folder.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", place.display()));
            }
        }
        let path = folder.join(DATABASE);
        let connection = connect(&path, pause).with_context(|| {
            format!(
                "cannot open the inbox {}; check that it is writable and one of minilab's",
                path.display()
            )
        })?;
        let (jobs, asked) = mpsc::channel();
        let changed = Arc::new(Notify::new());
        let bell = Arc::clone(&changed);
        std::thread::Builder::new()
            .name("inbox".to_owned())
            .spawn(move || serve(connection, &asked, &bell))
            .context("cannot start the inbox's thread")?;
        Ok(Self { jobs, changed, _lock: lock })
    }

    /// Runs `work` in a transaction: when this returns `Ok`, it is on disk.
    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        self.asked(work, false).await
    }

    /// The same, after which [`Inbox::change`] completes.
    async fn change_by<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        self.asked(work, true).await
    }

    async fn asked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        rings: bool,
    ) -> anyhow::Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Asked { work: Some(work), value: None, rings, answer });
        let stopped = "the inbox's thread has stopped";
        self.jobs.send(job).ok().context(stopped)?;
        answered.await.context(stopped)?.map_err(|problem| anyhow::anyhow!("the inbox: {problem}"))
    }

    /// Keeps an event: it is on disk when this returns `Ok`.
    pub(super) async fn put(&self, body: Vec<u8>) -> anyhow::Result<()> {
        let now = now_ms();
        self.change_by(move |tx| {
            tx.prepare_cached("INSERT INTO inbox (body, received_ms, due_ms) VALUES (?1, ?2, ?2)")?
                .execute(params![body, now])?;
            Ok(())
        })
        .await
    }

    /// Completes when an event was put, or put off, since the last call, or is.
    pub(super) async fn change(&self) {
        self.changed.notified().await;
    }

    /// Takes the event that is due longest.
    pub(super) async fn take(&self) -> anyhow::Result<Taken> {
        let now = now_ms();
        self.ask(move |tx| {
            let found = tx
                .prepare_cached(
                    "SELECT id, body, received_ms, attempts FROM inbox WHERE taken = 0 AND due_ms <= ?1
                     ORDER BY due_ms, id LIMIT 1",
                )?
                .query_row([now], |row| {
                    let attempts: u32 = row.get(3)?;
                    Ok(Entry {
                        id: row.get(0)?,
                        body: row.get(1)?,
                        received_ms: row.get(2)?,
                        attempts: attempts.saturating_add(1),
                    })
                })
                .optional()?;
            if let Some(entry) = found {
                tx.prepare_cached("UPDATE inbox SET taken = 1, attempts = ?2 WHERE id = ?1")?
                    .execute(params![entry.id, entry.attempts])?;
                return Ok(Taken::Entry(entry));
            }
            let due_ms = tx
                .prepare_cached("SELECT min(due_ms) FROM inbox WHERE taken = 0")?
                .query_row([], |row| row.get(0))?;
            Ok(Taken::Nothing { due_ms })
        })
        .await
    }

    /// The event is done.
    pub(super) async fn finish(&self, id: i64) -> anyhow::Result<()> {
        self.ask(move |tx| {
            tx.prepare_cached("DELETE FROM inbox WHERE id = ?1")?.execute([id])?;
            Ok(())
        })
        .await
    }

    /// The event is due again after `pause`.
    pub(super) async fn later(&self, id: i64, pause: Duration) -> anyhow::Result<()> {
        let due = after(pause);
        self.change_by(move |tx| {
            tx.prepare_cached("UPDATE inbox SET taken = 0, due_ms = ?2 WHERE id = ?1")?
                .execute(params![id, due])?;
            Ok(())
        })
        .await
    }

    /// The event is given up, and kept.
    pub(super) async fn bury(&self, id: i64, reason: String) -> anyhow::Result<()> {
        let now = now_ms();
        self.ask(move |tx| {
            tx.prepare_cached(
                "INSERT INTO dead_letters (body, received_ms, failed_ms, attempts, reason)
                 SELECT body, received_ms, ?2, attempts, ?3 FROM inbox WHERE id = ?1",
            )?
            .execute(params![id, now, reason])?;
            tx.prepare_cached("DELETE FROM inbox WHERE id = ?1")?.execute([id])?;
            Ok(())
        })
        .await
    }

    /// Keeps a dead letter that was never in the inbox.
    pub(super) async fn keep(&self, letter: DeadLetter) -> anyhow::Result<()> {
        self.ask(move |tx| {
            tx.prepare_cached(
                "INSERT INTO dead_letters (body, received_ms, failed_ms, attempts, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                letter.body,
                letter.received_ms,
                letter.failed_ms,
                letter.attempts,
                letter.reason
            ])?;
            Ok(())
        })
        .await
    }

    /// Gives back what is taken, to be due after `pause`: nobody works on it any
    /// more, and no process died.
    pub(super) async fn release(&self, pause: Duration) -> anyhow::Result<()> {
        let due = after(pause);
        self.ask(move |tx| {
            tx.execute("UPDATE inbox SET taken = 0, due_ms = ?1 WHERE taken = 1", [due])?;
            Ok(())
        })
        .await
    }

    /// Puts every dead letter back, as if it had just come.
    pub(super) async fn redrive(&self) -> anyhow::Result<usize> {
        let now = now_ms();
        self.change_by(move |tx| {
            tx.execute(
                "INSERT INTO inbox (body, received_ms, due_ms) SELECT body, ?1, ?1 FROM dead_letters ORDER BY id",
                [now],
            )?;
            tx.execute("DELETE FROM dead_letters", [])
        })
        .await
    }

    pub(super) async fn counts(&self) -> anyhow::Result<InboxCounts> {
        self.ask(|tx| {
            let count = |sql| tx.prepare_cached(sql)?.query_row([], |row| row.get(0));
            Ok(InboxCounts {
                waiting: count("SELECT count(*) FROM inbox")?,
                dead: count("SELECT count(*) FROM dead_letters")?,
            })
        })
        .await
    }
}

/// The dead letters of a data folder, the oldest first, beside any worker.
pub(super) fn dead_letters(folder: &Path) -> anyhow::Result<Vec<DeadLetter>> {
    let path: PathBuf = folder.join(DATABASE);
    let read = || -> rusqlite::Result<Vec<DeadLetter>> {
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let mut statement = connection
            .prepare("SELECT body, received_ms, failed_ms, attempts, reason FROM dead_letters ORDER BY id")?;
        let letters = statement.query_map([], |row| {
            Ok(DeadLetter {
                body: row.get(0)?,
                received_ms: row.get(1)?,
                failed_ms: row.get(2)?,
                attempts: row.get(3)?,
                reason: row.get(4)?,
            })
        })?;
        letters.collect()
    };
    read().with_context(|| format!("cannot read the inbox {}; give the worker's --data-dir", path.display()))
}

/// `synchronous = FULL` with a write-ahead log: a committed transaction survives
/// power loss (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
fn connect(path: &Path, pause: Duration) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch(SCHEMA)?;
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Behind the others: one of these may have taken the process down. And later,
    // since what that process had sent may still arrive.
    tx.execute(
        "UPDATE inbox SET taken = 0, interruptions = interruptions + 1, due_ms = ?1 WHERE taken = 1",
        [after(pause)],
    )?;
    tx.execute(
        "INSERT INTO dead_letters (body, received_ms, failed_ms, attempts, reason)
         SELECT body, received_ms, ?1, attempts, 'the worker ended ' || interruptions || ' times while it worked on this'
         FROM inbox WHERE interruptions >= ?2",
        params![now_ms(), INTERRUPTIONS],
    )?;
    tx.execute("DELETE FROM inbox WHERE interruptions >= ?1", [INTERRUPTIONS])?;
    tx.commit()?;
    Ok(connection)
}

fn serve(mut connection: Connection, asked: &mpsc::Receiver<Box<dyn Job>>, changed: &Notify) {
    while let Ok(first) = asked.recv() {
        let mut jobs = vec![first];
        jobs.extend(asked.try_iter().take(TOGETHER - 1));
        let committed = together(&mut connection, &mut jobs).map_err(|error| error.to_string());
        if let Err(error) = &committed {
            tracing::error!(error, "the inbox cannot be written");
        } else if jobs.iter().any(|job| job.rings()) {
            changed.notify_one();
        }
        for job in jobs {
            job.answer(committed.clone());
        }
    }
}

fn together(connection: &mut Connection, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in jobs {
        job.work(&tx)?;
    }
    tx.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn taken(inbox: &Inbox) -> Option<Entry> {
        match inbox.take().await.unwrap() {
            Taken::Entry(entry) => Some(entry),
            Taken::Nothing { .. } => None,
        }
    }

    #[tokio::test]
    async fn an_event_is_there_until_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), Duration::ZERO).unwrap();
        inbox.put(b"one".to_vec()).await.unwrap();
        inbox.put(b"two".to_vec()).await.unwrap();
        let one = taken(&inbox).await.unwrap();
        let two = taken(&inbox).await.unwrap();
        assert_eq!((&one.body[..], &two.body[..], one.attempts), (&b"one"[..], &b"two"[..], 1));
        assert_eq!(inbox.take().await.unwrap(), Taken::Nothing { due_ms: None }, "both are taken");
        inbox.finish(one.id).await.unwrap();
        inbox.later(two.id, Duration::from_mins(1)).await.unwrap();
        let Taken::Nothing { due_ms: Some(due) } = inbox.take().await.unwrap() else { panic!("not due yet") };
        assert!((50_000..=60_000).contains(&(due - now_ms())), "{due}");
        assert_eq!(inbox.counts().await.unwrap(), InboxCounts { waiting: 1, dead: 0 });
        inbox.later(two.id, Duration::ZERO).await.unwrap();
        assert_eq!(taken(&inbox).await.unwrap().attempts, 2);
    }

    #[tokio::test]
    async fn what_a_dead_process_had_taken_is_due_again_and_at_last_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), Duration::ZERO).unwrap();
        inbox.put(b"deadly".to_vec()).await.unwrap();
        for life in 1..=INTERRUPTIONS {
            assert_eq!(taken(&inbox_again(folder.path())).await.unwrap().attempts, life);
        }
        let last = inbox_again(folder.path());
        assert_eq!(taken(&last).await, None);
        assert_eq!(last.counts().await.unwrap(), InboxCounts { waiting: 0, dead: 1 });
        let letters = dead_letters(folder.path()).unwrap();
        assert_eq!(letters[0].reason, "the worker ended 5 times while it worked on this");
        assert_eq!(letters[0].body, b"deadly");
    }

    /// Another process would find the lock free; in one process the file is locked anew.
    fn inbox_again(folder: &Path) -> Inbox {
        let _ = std::fs::remove_file(folder.join("lock"));
        Inbox::open(folder, Duration::ZERO).unwrap()
    }

    /// What it had sent to the store may still arrive.
    #[tokio::test]
    async fn what_was_interrupted_or_given_back_is_left_alone_for_its_pause() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), Duration::ZERO).unwrap();
        let not_before = |found| match found {
            Taken::Nothing { due_ms: Some(due) } => assert!(due - now_ms() > 50_000, "{due}"),
            other => panic!("{other:?}"),
        };
        inbox.put(b"event".to_vec()).await.unwrap();
        assert!(taken(&inbox).await.is_some());
        inbox.release(Duration::from_mins(1)).await.unwrap();
        not_before(inbox.take().await.unwrap());
        inbox.put(b"another".to_vec()).await.unwrap();
        assert!(taken(&inbox).await.is_some());
        let _ = std::fs::remove_file(folder.path().join("lock"));
        not_before(Inbox::open(folder.path(), Duration::from_mins(1)).unwrap().take().await.unwrap());
    }

    #[tokio::test]
    async fn an_event_whose_sender_hangs_up_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), Duration::ZERO).unwrap();
        let mut put = Box::pin(inbox.put(b"event".to_vec()));
        // It is asked for; mostly it is not there yet.
        let _ = futures_util::poll!(put.as_mut());
        drop(put);
        tokio::time::timeout(Duration::from_mins(1), inbox.change()).await.expect("it is put all the same");
        assert!(taken(&inbox).await.is_some());
    }

    #[tokio::test]
    async fn an_event_that_was_given_back_was_not_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..10 {
            let inbox = inbox_again(folder.path());
            if inbox.counts().await.unwrap().waiting == 0 {
                inbox.put(b"event".to_vec()).await.unwrap();
            }
            assert!(taken(&inbox).await.is_some());
            inbox.release(Duration::ZERO).await.unwrap();
        }
    }

    #[tokio::test]
    async fn dead_letters_are_kept_and_can_be_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), Duration::ZERO).unwrap();
        inbox.put(b"bad".to_vec()).await.unwrap();
        let entry = taken(&inbox).await.unwrap();
        inbox.bury(entry.id, "not understood".to_owned()).await.unwrap();
        let foreign = DeadLetter {
            body: b"foreign".to_vec(),
            received_ms: 1,
            failed_ms: 2,
            attempts: 3,
            reason: "too old".to_owned(),
        };
        inbox.keep(foreign.clone()).await.unwrap();
        let letters = dead_letters(folder.path()).unwrap();
        assert_eq!(letters[0].reason, "not understood");
        assert_eq!(letters[1], foreign);
        assert_eq!(inbox.redrive().await.unwrap(), 2);
        assert_eq!(inbox.counts().await.unwrap(), InboxCounts { waiting: 2, dead: 0 });
        let again = taken(&inbox).await.unwrap();
        assert_eq!((&again.body[..], again.attempts), (&b"bad"[..], 1));
    }

    #[tokio::test]
    async fn one_process_owns_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Inbox::open(folder.path(), Duration::ZERO).unwrap();
        let error = Inbox::open(folder.path(), Duration::ZERO).err().unwrap().to_string();
        assert!(error.contains("in use by another worker"), "{error}");
    }

    #[tokio::test]
    async fn many_at_once_share_transactions_and_all_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(folder.path(), Duration::ZERO).unwrap();
        let puts = (0..500).map(|n: u32| inbox.put(n.to_le_bytes().to_vec()));
        for put in futures_util::future::join_all(puts).await {
            put.unwrap();
        }
        assert_eq!(inbox.counts().await.unwrap().waiting, 500);
    }
}
