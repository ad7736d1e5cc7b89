//! Where a schedule's decisions come from: a seed, or a list that was recorded.
//! A failing list is made shorter and simpler before it is shown.

/// Decisions, drawn from a seed and recorded, or replayed. Past the end of a
/// replayed list every decision is 0, which always means: go on, nothing fails.
pub(crate) struct Choices {
    random: Option<fastrand::Rng>,
    replayed: Vec<u32>,
    taken: Vec<u32>,
}

impl Choices {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { random: Some(fastrand::Rng::with_seed(seed)), replayed: Vec::new(), taken: Vec::new() }
    }

    pub(crate) fn replay(list: &[u32]) -> Self {
        Self { random: None, replayed: list.to_vec(), taken: Vec::new() }
    }

    /// A number below `count`, which is at least 1.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let count = count as u32;
        let choice = match &mut self.random {
            Some(random) => random.u32(0..count),
            None => self.replayed.get(self.taken.len()).copied().unwrap_or(0) % count,
        };
        self.taken.push(choice);
        choice as usize
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    /// Everything decided so far.
    pub(crate) fn taken(self) -> Vec<u32> {
        self.taken
    }
}

/// The shortest list found from `failing` for which `fails` still holds: parts
/// are left out, then single decisions become 0.
pub(crate) fn simplest(mut failing: Vec<u32>, fails: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    let mut part = failing.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < failing.len() {
            let mut without = failing.clone();
            without.drain(at..(at + part).min(failing.len()));
            if fails(&without) {
                failing = without;
            } else {
                at += part;
            }
        }
        part /= 2;
    }
    for at in 0..failing.len() {
        let was = std::mem::take(&mut failing[at]);
        if was != 0 && !fails(&failing) {
            failing[at] = was;
        }
    }
    while failing.last() == Some(&0) {
        failing.pop();
    }
    failing
}

#[test]
fn a_failing_list_is_made_simple() {
    let fails = |list: &[u32]| list.contains(&7) && list.iter().sum::<u32>() >= 10;
    assert_eq!(simplest(vec![1, 2, 0, 7, 5, 9, 1, 4], fails), [1, 2, 7]);
    let mut first = Choices::seeded(3);
    let drawn: Vec<usize> = (1..50).map(|count| first.below(count)).collect();
    let mut again = Choices::replay(&first.taken());
    assert_eq!((1..50).map(|count| again.below(count)).collect::<Vec<_>>(), drawn);
    assert_eq!(again.below(10), 0, "past its end");
}
