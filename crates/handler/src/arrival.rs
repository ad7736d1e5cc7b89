//! A source object whose bytes are still coming: filled by whoever reads the
//! store, read meanwhile by whoever makes prints. Owns the one buffer that both
//! see; refuses to say that bytes are all there before they are.

use bytes::{Bytes, BytesMut};
use minilab_imaging::Arriving;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The bytes of an object as they come.
#[derive(Debug)]
pub struct Arrival {
    size: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    bytes: Progress,
    /// Who waits for the last byte.
    wakers: Vec<Waker>,
}

#[derive(Debug)]
enum Progress {
    Coming(BytesMut),
    Whole(Bytes),
    Broken,
}

impl Progress {
    fn there(&self) -> &[u8] {
        match self {
            Self::Coming(bytes) => bytes,
            Self::Whole(bytes) => bytes,
            Self::Broken => &[],
        }
    }

    /// What came of it: all bytes, or `None` where they broke off.
    fn outcome(&self) -> Poll<Option<Bytes>> {
        match self {
            Self::Coming(_) => Poll::Pending,
            Self::Whole(bytes) => Poll::Ready(Some(bytes.clone())),
            Self::Broken => Poll::Ready(None),
        }
    }
}

impl Arrival {
    /// An object of `size` bytes of which none has come, and who is to bring them.
    pub fn new(size: u64) -> (Arc<Self>, Bringer) {
        let bytes = Progress::Coming(BytesMut::with_capacity(usize::try_from(size).unwrap_or(0)));
        let state = Mutex::new(State { bytes, wakers: Vec::new() });
        let arrival = Arc::new(Self { size, state, changed: Condvar::new() });
        (arrival.clone(), Bringer(arrival))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All bytes, once they are there; `None` where they broke off.
    pub async fn whole(&self) -> Option<Bytes> {
        poll_fn(|context| {
            let mut state = self.lock();
            let outcome = state.bytes.outcome();
            // One who is woken for something else asks again and again.
            let waits = |waker: &Waker| waker.will_wake(context.waker());
            if outcome.is_pending() && !state.wakers.iter().any(waits) {
                state.wakers.push(context.waker().clone());
            }
            outcome
        })
        .await
    }

    /// The same for a thread, which waits.
    pub fn wait(&self) -> Option<Bytes> {
        let coming = |state: &mut State| state.bytes.outcome().is_pending();
        let state = self.changed.wait_while(self.lock(), coming).unwrap_or_else(PoisonError::into_inner);
        match state.bytes.outcome() {
            Poll::Ready(bytes) => bytes,
            Poll::Pending => None,
        }
    }

    /// Whether nothing is waited for any more.
    pub fn is_settled(&self) -> bool {
        self.lock().bytes.outcome().is_ready()
    }

    fn settle(&self, settled: impl FnOnce(BytesMut) -> Progress) {
        let mut state = self.lock();
        if let Progress::Coming(bytes) = &mut state.bytes {
            state.bytes = settled(std::mem::take(bytes));
        }
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.changed.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }
}

impl Arriving for Arrival {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&self, at: usize, most: usize, into: &mut Vec<u8>) -> usize {
        let waits = |state: &mut State| matches!(&state.bytes, Progress::Coming(bytes) if bytes.len() <= at);
        let state = self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        let there = state.bytes.there().get(at..).unwrap_or_default();
        let taken = &there[..there.len().min(most)];
        into.extend_from_slice(taken);
        taken.len()
    }
}

/// Who brings the bytes of an [`Arrival`]. Dropped before all are there, it breaks
/// them off: nobody waits for what will not come.
#[derive(Debug)]
pub struct Bringer(Arc<Arrival>);

impl Bringer {
    /// Adds what has come.
    pub fn bring(&self, bytes: &[u8]) {
        if let Progress::Coming(coming) = &mut self.0.lock().bytes {
            coming.extend_from_slice(bytes);
        }
        self.0.changed.notify_all();
    }

    /// Says that nothing more comes: all bytes are there if they are as many as
    /// were announced.
    pub fn finish(self) {
        let size = self.0.size;
        self.0.settle(|bytes| {
            if bytes.len() as u64 == size { Progress::Whole(bytes.freeze()) } else { Progress::Broken }
        });
    }
}

impl Drop for Bringer {
    fn drop(&mut self) {
        self.0.settle(|_| Progress::Broken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_they_come_and_all_at_the_end() {
        let (arrival, bringer) = Arrival::new(5);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (mut bytes, mut counts) = (Vec::new(), Vec::new());
                loop {
                    match arrival.read(bytes.len(), 3, &mut bytes) {
                        0 => return (bytes, counts, arrival.wait()),
                        count => counts.push(count),
                    }
                }
            });
            bringer.bring(b"ab");
            bringer.bring(b"cde");
            bringer.finish();
            let (bytes, counts, whole) = reader.join().unwrap();
            assert_eq!(bytes, b"abcde");
            assert!(counts.iter().all(|&count| count <= 3), "{counts:?}");
            assert_eq!(whole.as_deref(), Some(&b"abcde"[..]));
        });
        let whole = futures_executor::block_on(arrival.whole());
        assert_eq!(whole.as_deref(), Some(&b"abcde"[..]));
    }

    #[test]
    fn nobody_waits_for_what_will_not_come() {
        for given_up in [true, false] {
            let (arrival, bringer) = Arrival::new(5);
            bringer.bring(b"abc");
            std::thread::scope(|scope| {
                let threads = [
                    scope.spawn(|| arrival.wait()),
                    scope.spawn(|| {
                        let mut bytes = Vec::new();
                        while arrival.read(bytes.len(), 9, &mut bytes) > 0 {}
                        futures_executor::block_on(arrival.whole())
                    }),
                ];
                if given_up {
                    drop(bringer);
                } else {
                    // Fewer than were announced.
                    bringer.finish();
                }
                for thread in threads {
                    assert_eq!(thread.join().unwrap(), None);
                }
            });
        }
    }
}
