//! A bounded number of scoped threads over a list of work; no pool outlives the
//! call.

use crate::Error;
use std::sync::{Mutex, PoisonError};

/// Calls `work` on every item, on at most `threads` threads with the caller's
/// among them, in the order of `items`. With one thread nothing is spawned. The
/// first error stops the thread that met it, and is returned.
pub(super) fn for_each<T: Send>(
    mut items: Vec<T>,
    threads: usize,
    work: impl Fn(T) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let helpers = threads.min(items.len()).saturating_sub(1);
    items.reverse();
    let items = Mutex::new(items);
    let drain = || -> Result<(), Error> {
        loop {
            let next = items.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match next {
                Some(item) => work(item)?,
                None => return Ok(()),
            }
        }
    };
    if helpers == 0 {
        return drain();
    }
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(drain)).collect();
        let own = drain();
        helpers.into_iter().fold(own, |result, helper| {
            let panicked = || Err(Error::Codec { format: "picture", detail: "a thread panicked".into() });
            result.and(helper.join().unwrap_or_else(|_| panicked()))
        })
    })
}
