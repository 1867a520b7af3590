//! A short sample of what `fuzz/fuzz_targets/datagrams.rs` does for long, and what fuzzing has kept.
use proptest::collection::vec;
use proptest::prelude::*;

mod exercise;
mod kept;
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
}
