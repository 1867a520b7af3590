//! Addresses whose path takes no segments as long as ours.
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Paths change; a try costs one refused system call.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// More peers than that on narrow paths are tried more often.
const CAPACITY: usize = 1024;

/// A set that forgets. Costs one atomic load while it is empty.
#[derive(Debug, Default)]
pub struct Narrow {
    any: AtomicBool,
    since: Mutex<HashMap<IpAddr, Instant>>,
}

impl Narrow {
    pub fn contains(&self, to: IpAddr, now: impl Fn() -> Instant) -> bool {
        let fresh = |since: &Instant| now().saturating_duration_since(*since) < TRY_AGAIN;
        self.any.load(Relaxed) && self.since.lock().get(&to).is_some_and(fresh)
    }

    pub fn insert(&self, to: IpAddr, now: Instant) {
        let mut since = self.since.lock();
        if since.len() >= CAPACITY {
            since.clear();
        }
        since.insert(to, now);
        self.any.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_address_is_forgotten_in_time_and_the_set_never_grows_without_end() {
        let (narrow, t) = (Narrow::default(), Instant::now());
        let address = |n: usize| IpAddr::from(Ipv4Addr::from(n as u32));
        assert!(!narrow.contains(address(0), || t));
        narrow.insert(address(0), t);
        assert!(narrow.contains(address(0), || t));
        assert!(!narrow.contains(address(1), || t));
        assert!(!narrow.contains(address(0), || t + TRY_AGAIN));
        for n in 0..=3 * CAPACITY {
            narrow.insert(address(n), t);
            assert!(narrow.contains(address(n), || t));
        }
        assert!(narrow.since.lock().len() <= CAPACITY);
    }
}
