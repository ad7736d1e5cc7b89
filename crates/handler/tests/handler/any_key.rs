//! Whatever a key and an object are: no panic, no loop, and the prints follow.

use crate::support::{NO_DEADLINE, expected, found, handler, memory};
use futures_executor::block_on;
use proptest::prelude::*;

/// What is put under a key, or its deletion.
fn any_state() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop_oneof![
        Just(None),
        (1..4_u32, 1..4_u32, ".{0,4}").prop_map(|(w, h, text)| Some(format!("{w}x{h} {text}").into_bytes())),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(Some),
    ]
}

/// Keys that S3 accepts, with what templates, metadata and paths trip over.
fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{1,2}(_[12]x[12])?(\\.png|\\.jpg)?",
        "[a/.%+_x0-9{}*? ]{1,12}",
        ".{1,20}",
        Just("é".repeat(250)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_series_of_changes_ends_in_the_prints_of_the_last(
        changes in prop::collection::vec((any_key(), any_state()), 1..8),
    ) {
        let memory = memory();
        for (key, state) in &changes {
            match state {
                Some(bytes) => memory.upload("film", key, bytes.clone()),
                None => memory.remove("film", key),
            }
            let outcome = block_on(handler(memory.clone()).reconcile(key, NO_DEADLINE));
            prop_assert!(outcome.is_ok(), "{key:?}: {outcome:?}");
        }
        prop_assert_eq!(found(&memory), expected(&memory));
    }
}
