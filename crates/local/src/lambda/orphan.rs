//! Environments whose cloud was killed before it could end them.
//!
//! Owns: the mark that every child carries in its environment, and ending
//! those that carry it although their cloud is gone. Refuses: trusting a
//! process number written down earlier; it may belong to another by now.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::{Pid, Signal};

use super::memory::group_of;

/// The variable by which a child is known to be a cloud's; its value is the
/// cloud's own, and the same at each of its starts.
pub(super) const MARK: &str = "_LOCAL_CLOUD";

/// Kills the process groups of all children marked with `mark`, and returns
/// how many there were. To be called only while no child of this cloud is
/// meant to run.
pub fn end_orphans(mark: &str) -> usize {
    let wanted = format!("{MARK}={mark}");
    let Ok(folder) = fs::read_dir("/proc") else { return 0 };
    let groups: BTreeSet<i32> = folder
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            // Other users' processes cannot be read, and are none of ours.
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes()))
        })
        .filter_map(group_of)
        .collect();
    let mut ended = 0;
    for group in groups.into_iter().filter_map(Pid::from_raw) {
        if rustix::process::kill_process_group(group, Signal::KILL).is_ok() {
            ended += 1;
        }
    }
    ended
}
