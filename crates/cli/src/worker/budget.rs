//! How many pictures are made at once, by memory. Owns the machine's figure and
//! the reservation of each picture; refuses to start a picture that has not
//! reserved what it can take.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_channel::mpsc;
use minilab_handler::verdict::Failure;
use minilab_handler::{Job, Renderer, ThreadRenderer};
use minilab_imaging::{Limits, Rendition};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the process takes beside pictures: code, clients, connections, the
/// inbox and requests under way.
const OWN: u64 = 64 << 20;

const MEBIBYTE: u64 = 1 << 20;

/// The memory that pictures may take together, handed out in MiB.
///
/// A picture reserves the most that the limits allow before its bytes are read,
/// and gives back what its header says that it does not need. It never asks for
/// more while it holds some, so that pictures cannot wait for each other.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    free: Arc<Semaphore>,
    total: u32,
    /// The most that one picture can take.
    each: u32,
}

/// A reservation, given back when it is dropped.
pub(super) type Reserved = OwnedSemaphorePermit;

impl Budget {
    /// The budget of a process that may take `memory` bytes, and the recipe's
    /// `limits` as they fit into it.
    ///
    /// Four fifths are for pictures, less the process itself: the rest is the
    /// allocator's and the uploads', as in a function.
    pub(super) fn new(memory: u64, limits: Limits) -> (Self, Limits) {
        let usable = (memory / 5 * 4).saturating_sub(OWN).max(MEBIBYTE);
        let most = limits.memory.min(usable);
        // The source's bytes are part of what a picture takes.
        let limits = Limits { memory: most, input_bytes: limits.input_bytes.min(most), ..limits };
        let total = mebibytes(usable / MEBIBYTE * MEBIBYTE);
        let each = mebibytes(most).min(total);
        (Self { free: Arc::new(Semaphore::new(total as usize)), total, each }, limits)
    }

    /// Waits until the largest picture fits.
    pub(super) async fn reserve(&self) -> Reserved {
        let free = Arc::clone(&self.free);
        #[expect(clippy::expect_used, reason = "nothing closes it")]
        free.acquire_many_owned(self.each).await.expect("the budget stays open")
    }

    /// How many of the largest pictures fit at once, at least one.
    pub(super) fn largest_at_once(&self) -> u32 {
        (self.total / self.each.max(1)).max(1)
    }

    /// What pictures may take together, in bytes.
    pub(super) fn total(&self) -> u64 {
        u64::from(self.total) * MEBIBYTE
    }

    /// What is reserved now, in bytes.
    pub(super) fn reserved(&self) -> u64 {
        self.total().saturating_sub(self.free.available_permits() as u64 * MEBIBYTE)
    }
}

/// Rounded up.
fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(MEBIBYTE)).unwrap_or(u32::MAX).min(1 << 28)
}

/// Leaves `needed` bytes in the reservation and gives the rest back.
fn shrink(reserved: &mut Reserved, needed: u64) {
    let surplus = reserved.num_permits().saturating_sub(mebibytes(needed) as usize);
    drop(reserved.split(surplus));
}

/// The renderer of one handler, which gives back what a picture does not need
/// of its reservation as soon as its header is known.
#[derive(Debug)]
pub(super) struct Frugal {
    thread: ThreadRenderer,
    budget: Budget,
    reserved: Mutex<Option<Reserved>>,
}

impl Frugal {
    pub(super) const fn new(now: fn() -> Duration, budget: Budget) -> Self {
        Self { thread: ThreadRenderer::new(now), budget, reserved: Mutex::new(None) }
    }

    /// Reserves for the largest picture, until [`Self::release`].
    pub(super) async fn reserve(&self) {
        let reserved = self.budget.reserve().await;
        self.hold(Some(reserved));
    }

    pub(super) fn release(&self) {
        self.hold(None);
    }

    fn hold(&self, reserved: Option<Reserved>) -> Option<Reserved> {
        std::mem::replace(&mut *self.reserved.lock().unwrap_or_else(PoisonError::into_inner), reserved)
    }

    /// Reserves exactly `needed` bytes.
    async fn fit(&self, needed: u64) {
        let mut reserved = match self.hold(None) {
            Some(reserved) if reserved.num_permits() >= mebibytes(needed) as usize => reserved,
            // The source was replaced meanwhile by one that needs more. It waits with nothing but its bytes.
            too_little => {
                drop(too_little);
                self.budget.reserve().await
            }
        };
        shrink(&mut reserved, needed);
        self.hold(Some(reserved));
    }
}

impl Renderer for Frugal {
    async fn render(&self, job: Job, prints: mpsc::Sender<Rendition>) -> Result<usize, Failure> {
        let asked = job.clone();
        // Some headers are whole drawings.
        let needed = tokio::task::spawn_blocking(move || {
            let Job { picture, source_key, recipe, limits } = asked;
            minilab_imaging::reserve(&picture, &source_key, &recipe, &limits)
        });
        // A picture that is refused from its header is refused again, at no cost.
        if let Ok(Ok(needed)) = needed.await {
            self.fit(needed).await;
        }
        self.thread.render(job, prints).await
    }
}

/// The memory of this machine, or of the control group that this process is
/// in, in bytes: the smaller.
pub(super) fn of_this_machine() -> u64 {
    of_machine(Path::new("/"))
}

/// What a machine has that does not say, in bytes.
const UNKNOWN: u64 = 1 << 30;

/// A library for this brings all of Windows' interfaces into the lock file for
/// three files that Linux documents (proc(5), cgroups(7)).
fn of_machine(root: &Path) -> u64 {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let total = read(&root.join("proc/meminfo"))
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
        .map_or(UNKNOWN, |kilobytes| kilobytes << 10);
    let groups = read(&root.join("proc/self/cgroup"));
    let limits = groups.lines().filter_map(|line| {
        // "0::/path" in version 2, "4:memory:/path" in version 1.
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let mount = root.join(mount);
        // Each group is bound by those above it; in a container the mount is the container's own.
        let mut folder: PathBuf = mount.join(path);
        let mut least = u64::MAX;
        while folder.starts_with(&mount) {
            least = read(&folder.join(file)).trim().parse().unwrap_or(u64::MAX).min(least);
            folder.pop();
        }
        Some(least)
    });
    limits.min().unwrap_or(u64::MAX).min(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> u64 {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        of_machine(root.path())
    }

    #[test]
    fn the_smallest_of_machine_and_groups_counts() {
        const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:        8000000 kB\nMemFree: 1 kB\n");
        const V2: (&str, &str) = ("proc/self/cgroup", "0::/a.slice/b.service\n");
        const V1: (&str, &str) = ("proc/self/cgroup", "5:cpu:/\n4:memory,hugetlb:/docker/1\n");
        for (files, expected) in [
            (vec![], UNKNOWN),
            (vec![MEMINFO], 8_000_000 << 10),
            (vec![MEMINFO, V2], 8_000_000 << 10),
            (vec![MEMINFO, V2, ("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n")], 8_000_000 << 10),
            (vec![MEMINFO, V2, ("sys/fs/cgroup/a.slice/b.service/memory.max", "1048576\n")], 1 << 20),
            (vec![MEMINFO, V2, ("sys/fs/cgroup/a.slice/memory.max", "2097152\n")], 2 << 20),
            // A container sees its own group at the mount.
            (
                vec![MEMINFO, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "4194304\n")],
                4 << 20,
            ),
            (vec![MEMINFO, V1, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "3145728\n")], 3 << 20),
            (
                vec![MEMINFO, V1, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")],
                8_000_000 << 10,
            ),
        ] {
            assert_eq!(machine(&files), expected, "{files:?}");
        }
        assert!(of_this_machine() > 100 << 20);
    }

    #[test]
    fn limits_fit_the_memory_and_are_never_raised() {
        let limits = Limits { memory: 768 << 20, input_bytes: 100 << 20, ..Limits::default() };
        for (memory, each, input, at_once) in [
            (4096_u64, 768, 100, 4),
            (2048, 768, 100, 2),
            (1024, 755, 100, 1),
            (128, 38, 38, 1),
            // Too small for anything: still a budget.
            (16, 1, 1, 1),
        ] {
            let (budget, fitted) = Budget::new(memory << 20, limits);
            assert_eq!(fitted.memory >> 20, each, "{memory}");
            assert_eq!(fitted.input_bytes >> 20, input, "{memory}");
            assert_eq!(budget.largest_at_once(), at_once, "{memory}");
        }
    }

    #[tokio::test]
    async fn what_a_picture_does_not_need_is_anothers() {
        let limits = Limits { memory: 100 << 20, ..Limits::default() };
        let (budget, _) = Budget::new(300 << 20, limits);
        assert_eq!(budget.total() >> 20, 176);
        let mut first = budget.reserve().await;
        assert_eq!(budget.reserved() >> 20, 100);
        let second = tokio::time::timeout(Duration::from_millis(50), budget.reserve()).await;
        assert!(second.is_err(), "two of the largest do not fit");
        shrink(&mut first, (20 << 20) + 1);
        assert_eq!(budget.reserved() >> 20, 21);
        let second = tokio::time::timeout(Duration::from_millis(50), budget.reserve()).await.unwrap();
        // More than it holds is not taken.
        shrink(&mut first, 500 << 20);
        assert_eq!(budget.reserved() >> 20, 121);
        drop((first, second));
        assert_eq!(budget.reserved(), 0);
    }

    #[tokio::test]
    async fn a_picture_that_grew_lets_go_of_what_it_holds_before_it_waits() {
        let (budget, _) = Budget::new(300 << 20, Limits { memory: 100 << 20, ..Limits::default() });
        let renderers = [0, 1].map(|_| Frugal::new(|| Duration::ZERO, budget.clone()));
        for renderer in &renderers {
            renderer.reserve().await;
            renderer.fit(60 << 20).await;
        }
        assert_eq!(budget.reserved() >> 20, 120);
        // Each needs what the other holds.
        let both = renderers.iter().map(|renderer| async {
            renderer.fit(100 << 20).await;
            renderer.release();
        });
        let both = futures_util::future::join_all(both);
        assert!(tokio::time::timeout(Duration::from_secs(5), both).await.is_ok());
        assert_eq!(budget.reserved(), 0);
    }
}
