//! After the dust settles the bucket of prints is what the recipe makes of the
//! sources, exactly: explored over thousands of schedules, each from a seed.
//!
//! `MINILAB_SCHEDULE=seed cargo test -p minilab-handler --test handler one_schedule -- --nocapture`
//! replays one and prints what happened.

use crate::choices::{Choices, simplest};
use crate::mutants::Mutant;
use crate::world::World;

/// In `make test`.
const SCHEDULES: u64 = 5_000;
/// In `make soak`.
const SOAK: u64 = 100_000;

fn wrong(choices: Choices, mutant: Option<Mutant>) -> Option<String> {
    World::new(choices, mutant).settle().err()
}

/// What is wrong under this seed, with the simplest schedule that shows it.
fn report(seed: u64, mutant: Option<Mutant>) -> Option<String> {
    let mut world = World::new(Choices::seeded(seed), mutant);
    world.settle().err()?;
    let (choices, _) = world.into_choices_and_trace();
    let simple = simplest(choices, |list| wrong(Choices::replay(list), mutant).is_some());
    let mut world = World::new(Choices::replay(&simple), mutant).traced();
    let what = world.settle().err().unwrap_or_default();
    let (_, trace) = world.into_choices_and_trace();
    Some(format!("{what}\nMINILAB_SCHEDULE={seed} shows it; the simplest schedule like it:\n{trace}"))
}

fn explore(seeds: std::ops::Range<u64>) {
    let (mut steps, mut gave_up) = (0, 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let mut world = World::new(Choices::seeded(seed), None);
        let settled = world.settle();
        assert!(settled.is_ok(), "{}", report(seed, None).unwrap_or_default());
        steps += world.steps;
        gave_up += world.gave_up;
    }
    println!("{count} schedules, {steps} steps, {gave_up} events given up and sent again");
    assert!(gave_up > 0 && steps as u64 > 20 * count, "the weather is too fair to show anything");
}

#[test]
fn every_schedule_ends_in_the_prints_of_the_sources() {
    explore(0..SCHEDULES);
}

#[test]
#[ignore = "minutes: `make soak`"]
fn soak_every_schedule_ends_in_the_prints_of_the_sources() {
    explore(SCHEDULES..SCHEDULES + SOAK);
}

#[test]
fn every_mutant_of_the_protocol_is_caught() {
    let mut escaped = Vec::new();
    for mutant in Mutant::ALL {
        match (0..SCHEDULES).find(|seed| wrong(Choices::seeded(*seed), Some(mutant)).is_some()) {
            Some(seed) => println!("{mutant:?}: caught by schedule {seed}"),
            None => escaped.push(mutant),
        }
    }
    assert!(escaped.is_empty(), "not caught: {escaped:?}");
}

#[test]
fn a_write_that_outlives_the_retry_is_beyond_any_guarantee_and_healed_by_the_next_event() {
    let fails =
        |list: &[u32]| World::new(Choices::replay(list), None).with_immortal_strays().settle().is_err();
    let seed = (0..SCHEDULES)
        .find(|seed| World::new(Choices::seeded(*seed), None).with_immortal_strays().settle().is_err());
    let seed = seed.expect("a write that never dies can undo anything");
    let mut world = World::new(Choices::seeded(seed), None).with_immortal_strays();
    let _ = world.settle();
    let simple = simplest(world.into_choices_and_trace().0, fails);
    let mut world = World::new(Choices::replay(&simple), None).with_immortal_strays().traced();
    let what = world.settle().expect_err("the simplest schedule fails too");
    world.announce_all_again();
    assert_eq!(world.settle(), Ok(()), "a new event for each key heals it");
    println!("{what}\n{}", world.into_choices_and_trace().1);
}

#[test]
fn one_schedule() {
    #[expect(clippy::disallowed_methods, reason = "the seed of a schedule to be replayed, given by a person")]
    let seed = std::env::var("MINILAB_SCHEDULE").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mut world = World::new(Choices::seeded(seed), None).traced();
    let settled = world.settle();
    println!("{}", world.into_choices_and_trace().1);
    if let Some(report) = report(seed, None) {
        panic!("{report}");
    }
    assert_eq!(settled, Ok(()));
}
