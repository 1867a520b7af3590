//! When each peer is to be looked at, so that nobody walks through all of them. No I/O, no clock.
use crate::key::PublicKey;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

/// Entries of the heap that may be out of date, beside as many as there are peers.
const SLACK: usize = 64;

/// How soon a peer's clock has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// A handshake is under way, or something waits for an answer.
    Now,
    /// There is a session, or a keepalive to keep.
    Calm,
    /// Nothing but gotatun's forgetting, after this time.
    Until(Duration),
    /// Nothing at all, until somebody calls.
    Asleep,
}

/// One time for each peer that has one.
#[derive(Debug, Default)]
pub struct Agenda {
    times: HashMap<PublicKey, Instant>,
    /// An entry counts if `times` says the same.
    heap: BinaryHeap<Reverse<(Instant, PublicKey)>>,
}

impl Agenda {
    /// Look at this peer then; what was planned for it before is forgotten.
    pub fn plan(&mut self, peer: PublicKey, at: Instant) {
        if self.times.insert(peer, at) == Some(at) {
            return;
        }
        if self.heap.len() > 2 * self.times.len() + SLACK {
            self.heap = self.times.iter().map(|(peer, at)| Reverse((*at, *peer))).collect();
        } else {
            self.heap.push(Reverse((at, peer)));
        }
    }

    /// A peer whose time has come, taken off the agenda.
    pub fn due(&mut self, now: Instant) -> Option<PublicKey> {
        if self.earliest()? > now {
            return None;
        }
        let Reverse((_, peer)) = self.heap.pop()?;
        self.times.remove(&peer);
        Some(peer)
    }

    /// When the next one is due.
    pub fn earliest(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, peer))) = self.heap.peek() {
            if self.times.get(peer) == Some(at) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_peer_comes_once_at_the_time_planned_last(plans in prop::collection::vec((0u8..8, 0u64..50), 0..400)) {
            let begin = Instant::now();
            let at = |ms| begin + Duration::from_millis(ms);
            let (mut agenda, mut model) = (Agenda::default(), HashMap::new());
            for (peer, ms) in plans {
                agenda.plan([peer; 32], at(ms));
                model.insert(peer, ms);
                prop_assert!(agenda.heap.len() <= 2 * 8 + SLACK + 1);
            }
            for ms in 0..50 {
                prop_assert_eq!(agenda.earliest(), model.values().min().map(|ms| at(*ms)));
                let mut due: Vec<_> = std::iter::from_fn(|| agenda.due(at(ms))).map(|peer| peer[0]).collect();
                due.sort_unstable();
                let mut expected: Vec<_> = model.iter().filter(|(_, t)| **t <= ms).map(|(peer, _)| *peer).collect();
                expected.sort_unstable();
                model.retain(|_, t| *t > ms);
                prop_assert_eq!(due, expected);
            }
            prop_assert_eq!(agenda.earliest(), None);
        }
    }
}
