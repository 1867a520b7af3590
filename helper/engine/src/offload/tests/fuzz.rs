//! A short sample of what `fuzz/fuzz_targets/offload.rs` does for long.
use proptest::collection::vec;
use proptest::prelude::*;

use super::exercise;
use super::packets::Fields;

const CASES: u32 = 4096;

fn config() -> ProptestConfig {
    let wanted = ProptestConfig::default();
    ProptestConfig { cases: wanted.cases.max(CASES), failure_persistence: None, ..wanted }
}

/// A good read with a few bytes overwritten and perhaps its end cut off: nearer to the parser's edges than noise.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let start = (any::<bool>(), any::<bool>(), 0usize..200, vec(any::<u8>(), 0..3), 0u16..64);
    let changes = vec((0usize..90, any::<u8>()), 0..6);
    (start, changes, any::<bool>(), 0usize..300).prop_map(|((v6, udp, n, options, segment), changes, cut, length)| {
        let extra = match (v6, options.len()) {
            (_, 0) => vec![],
            (true, _) => vec![17, 0, 1, 4, 0, 0, 0, 0],
            _ => vec![1, 1, 1, 0],
        };
        let fields = Fields { v6, udp, extra, payload: vec![7; n], ..Fields::default() };
        let gso = match (udp, v6) {
            (true, _) => 5,
            (_, true) => 4,
            _ => 1,
        };
        let mut read = fields.oversized(gso, segment);
        for (at, value) in changes {
            if let Some(byte) = read.get_mut(at) {
                *byte = value;
            }
        }
        if cut {
            read.truncate(length);
        }
        read
    })
}

proptest! {
    #![proptest_config(config())]

    /// Any bytes at all.
    #[test]
    fn arbitrary(bytes in vec(any::<u8>(), 0..300)) {
        exercise::check(&bytes);
    }

    /// Nearly right ones.
    #[test]
    fn nearly_right(read in damaged()) {
        exercise::check(&read);
    }
}
