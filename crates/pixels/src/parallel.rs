//! Work handed to a few threads, with an outcome that does not depend on them:
//! every task runs, and of several errors the one of the first task counts.

use crate::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

/// Runs `task` on each of `items`, in their order, on up to `threads` threads,
/// this one included.
pub fn for_each<T: Send>(
    threads: usize,
    items: Vec<T>,
    task: impl Fn(T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let helpers = threads.min(items.len()).saturating_sub(1);
    let waiting = Mutex::new(items.into_iter().enumerate());
    let failures: Mutex<Vec<(usize, Error)>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((index, item)) = next else { return };
            if let Err(error) = guarded("print", || task(item)) {
                failures.lock().unwrap_or_else(PoisonError::into_inner).push((index, error));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(work);
        }
        work();
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.into_iter().min_by_key(|(index, _)| *index).map_or(Ok(()), |(_, error)| Err(error))
}

/// The last wall: a panic within a codec becomes an error about this picture.
pub fn guarded<T>(format: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without words".to_owned());
        Err(Error::Codec { format, detail: said })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_task_runs_and_the_first_failure_counts_whatever_the_threads() {
        let fails = |detail: usize| Error::Codec { format: "PNG", detail: detail.to_string() };
        for threads in 1..=4 {
            let done = AtomicUsize::new(0);
            let items: Vec<usize> = (0..20).collect();
            let result = for_each(threads, items, |item| {
                done.fetch_add(1, Ordering::Relaxed);
                if item % 7 == 6 { Err(fails(item)) } else { Ok(()) }
            });
            assert_eq!(result, Err(fails(6)));
            assert_eq!(done.into_inner(), 20);
        }
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let result: Result<(), Error> = guarded("PNG", || panic!("index out of range"));
        assert_eq!(result, Err(Error::Codec { format: "PNG", detail: "index out of range".to_owned() }));
    }
}
