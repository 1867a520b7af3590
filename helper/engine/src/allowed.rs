//! Which peer has a prefix, and which prefixes a peer has: both ways, so that no change of one peer walks through all.
use crate::key::PublicKey;
use crate::prefix::Prefix;
use std::collections::{BTreeMap, BTreeSet};

/// One peer has a prefix: giving it to another takes it away.
#[derive(Debug, Default)]
pub struct Allowed {
    owners: BTreeMap<Prefix, PublicKey>,
    of: BTreeMap<PublicKey, BTreeSet<Prefix>>,
}

impl Allowed {
    pub fn give(&mut self, prefix: Prefix, key: PublicKey) {
        if let Some(before) = self.owners.insert(prefix, key) {
            self.forget(&before, &prefix);
        }
        self.of.entry(key).or_default().insert(prefix);
    }

    /// Nothing happens when another peer has it.
    pub fn take(&mut self, prefix: &Prefix, key: &PublicKey) {
        if self.owners.get(prefix) == Some(key) {
            self.owners.remove(prefix);
            self.forget(key, prefix);
        }
    }

    /// Takes all that this peer has.
    pub fn take_all(&mut self, key: &PublicKey) {
        for prefix in self.of.remove(key).unwrap_or_default() {
            self.owners.remove(&prefix);
        }
    }

    /// In the order of the prefixes.
    pub fn of(&self, key: &PublicKey) -> impl Iterator<Item = Prefix> {
        self.of.get(key).into_iter().flatten().copied()
    }

    /// Each prefix and who has it.
    pub fn iter(&self) -> impl Iterator<Item = (&Prefix, &PublicKey)> {
        self.owners.iter()
    }

    fn forget(&mut self, key: &PublicKey, prefix: &Prefix) {
        if let Some(prefixes) = self.of.get_mut(key) {
            prefixes.remove(prefix);
            if prefixes.is_empty() {
                self.of.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    #[derive(Clone, Debug)]
    enum Step {
        Give(u8, u8),
        Take(u8, u8),
        TakeAll(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u8..6, 0u8..4).prop_map(|(prefix, key)| Step::Give(prefix, key)),
            2 => (0u8..6, 0u8..4).prop_map(|(prefix, key)| Step::Take(prefix, key)),
            1 => (0u8..4).prop_map(Step::TakeAll),
        ]
    }

    fn prefix(n: u8) -> Prefix {
        Prefix::new(Ipv4Addr::new(10, n, 0, 0).into(), 16).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Both directions say what one plain map of owners would.
        #[test]
        fn both_ways_agree(steps in vec(step(), 0..40)) {
            let (mut allowed, mut model) = (Allowed::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Give(p, k) => {
                        allowed.give(prefix(p), [k; 32]);
                        model.insert(prefix(p), [k; 32]);
                    }
                    Step::Take(p, k) => {
                        allowed.take(&prefix(p), &[k; 32]);
                        model.retain(|at, owner| *at != prefix(p) || *owner != [k; 32]);
                    }
                    Step::TakeAll(k) => {
                        allowed.take_all(&[k; 32]);
                        model.retain(|_, owner| *owner != [k; 32]);
                    }
                }
            }
            prop_assert!(allowed.iter().eq(model.iter()));
            for k in 0..4 {
                let of: Vec<_> = model.iter().filter(|(_, owner)| **owner == [k; 32]).map(|(p, _)| *p).collect();
                prop_assert_eq!(allowed.of(&[k; 32]).collect::<Vec<_>>(), of);
            }
            prop_assert!(allowed.of.values().all(|prefixes| !prefixes.is_empty()));
        }
    }
}
