//! How much memory an environment's processes hold, read from `/proc`.
//!
//! Owns: finding a process group's members and adding up their peaks. Refuses:
//! nothing; a process that is gone holds no memory.
//!
//! The kernel keeps each process's peak (`VmHWM`), so that a spike between two
//! readings is seen by the second.

use std::fs;

/// The members of a process group as last seen.
#[derive(Debug)]
pub(super) struct Group {
    leader: i32,
    members: Vec<i32>,
    readings: u32,
}

/// Looking through all of `/proc` costs more than reading known members, so it
/// is done at every eighth reading.
const SEARCH_EVERY: u32 = 8;

impl Group {
    pub(super) fn new(leader: i32) -> Self {
        Self { leader, members: vec![leader], readings: 0 }
    }

    /// The sum of the members' peak resident sizes, in bytes.
    pub(super) fn peak(&mut self) -> u64 {
        if self.readings % SEARCH_EVERY == SEARCH_EVERY - 1 {
            self.members = members(self.leader);
        }
        self.readings = self.readings.wrapping_add(1);
        self.members.iter().filter_map(|pid| peak_of(*pid)).sum()
    }
}

fn peak_of(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn members(group: i32) -> Vec<i32> {
    let Ok(folder) = fs::read_dir("/proc") else { return vec![group] };
    folder
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| group_of(*pid) == Some(group))
        .collect()
}

/// The fifth field of `/proc/pid/stat`; the second is in parentheses and may
/// hold anything, so reading starts behind the last parenthesis.
pub(super) fn group_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_process_has_a_peak_and_a_group_and_a_dead_one_has_none() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(peak_of(me).unwrap() > 100_000);
        assert!(members(group_of(me).unwrap()).contains(&me));
        assert_eq!(peak_of(i32::MAX), None);
        assert_eq!(Group::new(i32::MAX).peak(), 0);
    }
}
