//! A short sample of what `fuzz/fuzz_targets/{datagrams,arrived}.rs` do for long, and what fuzzing has kept.
use proptest::collection::vec;
use proptest::prelude::*;

mod batches;
mod echoes;
mod exercise;
mod kept;
mod silent;
mod steps;
mod window;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any bytes at all, read as what a hostile peer and a hostile network do.
    #[test]
    fn arbitrary(bytes in vec(any::<u8>(), 0..200)) {
        exercise::check(&bytes);
    }

    /// Genuine messages, repeated, reordered and damaged.
    #[test]
    fn nearly_genuine(steps in vec((0u8..6, any::<u8>(), any::<u8>()), 0..40)) {
        let bytes: Vec<u8> = steps.into_iter().flat_map(|(kind, a, b)| [kind, 2, a, b]).collect();
        exercise::check(&bytes);
    }

    /// Messages that arrive in batches: joined by the kernel, repeated, damaged, cut elsewhere, after the session's end.
    #[test]
    fn batches(steps in vec((0u8..8, vec(any::<u8>(), 0..40)), 0..40)) {
        let step = |(kind, value): (u8, Vec<u8>)| [&[kind, value.len() as u8][..], &value].concat();
        let bytes: Vec<u8> = steps.into_iter().flat_map(step).collect();
        batches::check(&bytes);
    }
}
