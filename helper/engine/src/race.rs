//! To which of a peer's addresses one initiation goes, and when (RFC 8305's idea). No I/O, no clock.
//!
//! It is the same message for all of them: a peer takes each timestamp once (whitepaper, 5.1), so it answers on the path
//! that delivered first, and the copies mean nothing to it.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// From one address to the next.
pub const STAGGER: Duration = Duration::from_millis(250);
/// An address that the host has no way to is tried again after this time.
pub const AGAIN: Duration = Duration::from_millis(50);
/// How long that is done after a change of network, or from the first try on.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// One initiation on its way.
#[derive(Debug)]
pub struct Race {
    lanes: Vec<Lane>,
    patient_until: Instant,
}

#[derive(Debug)]
struct Lane {
    to: SocketAddr,
    due: Option<Instant>,
    tried: bool,
    failed: bool,
}

/// Every address once, the endpoint first; `turn` moves the start along, so that each is first in some retry.
pub fn order(endpoint: SocketAddr, addresses: &[SocketAddr], turn: usize) -> Vec<SocketAddr> {
    let mut all = vec![endpoint];
    for address in addresses {
        if !all.contains(address) {
            all.push(*address);
        }
    }
    let start = turn % all.len();
    all.rotate_left(start);
    all
}

impl Race {
    /// Begins now. `alone`: only the first address, unless there is no way to it.
    pub fn new(order: Vec<SocketAddr>, alone: bool, now: Instant, patient_until: Instant) -> Self {
        let lanes = order.into_iter().map(|to| Lane { to, due: None, tried: false, failed: false }).collect();
        let mut race = Self { lanes, patient_until };
        race.stagger(now);
        if alone {
            race.calm();
        }
        race
    }

    /// The next address that the message is due to; each is given once, and again after `failed`.
    pub fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        let lane = self.lanes.iter_mut().find(|lane| lane.due.is_some_and(|due| due <= now))?;
        lane.due = None;
        lane.tried = true;
        Some(lane.to)
    }

    /// The host has no way to this address now: whoever comes next needn't wait.
    pub fn failed(&mut self, to: SocketAddr, now: Instant) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.to == to && lane.tried) else { return };
        lane.due = (now < self.patient_until).then_some(now + AGAIN);
        if !std::mem::replace(&mut lane.failed, true) {
            self.stagger(now);
        }
    }

    /// The peer is heard: nobody else needs to be asked.
    pub fn calm(&mut self) {
        for lane in self.lanes.iter_mut().skip(1) {
            lane.due = None;
        }
    }

    /// When `next` has something to give.
    pub fn deadline(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|lane| lane.due).min()
    }

    /// Those that are still to come, from now on.
    fn stagger(&mut self, now: Instant) {
        let mut due = now;
        for lane in self.lanes.iter_mut().filter(|lane| !lane.tried) {
            lane.due = Some(due);
            due += STAGGER;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn addresses(n: u8) -> Vec<SocketAddr> {
        (1..=n).map(|i| SocketAddr::from(([192, 0, 2, i], 51820))).collect()
    }

    /// What is sent when, in ms, while no way leads to `closed`.
    fn run(race: &mut Race, begin: Instant, until_ms: u64, closed: &[SocketAddr]) -> Vec<(u64, SocketAddr)> {
        let mut sent = vec![];
        for ms in 0..=until_ms {
            let now = begin + Duration::from_millis(ms);
            while let Some(to) = race.next(now) {
                sent.push((ms, to));
                if closed.contains(&to) {
                    race.failed(to, now);
                }
            }
        }
        sent
    }

    #[test]
    fn the_endpoint_is_first_and_each_retry_begins_with_another() {
        let a = addresses(3);
        assert_eq!(order(a[1], &a, 0), [a[1], a[0], a[2]]);
        assert_eq!(order(a[1], &a, 1), [a[0], a[2], a[1]]);
        assert_eq!(order(a[1], &a, 3), order(a[1], &a, 0));
        assert_eq!(order(a[1], &[], 7), [a[1]]);
    }

    #[test]
    fn the_addresses_are_staggered() {
        let (a, now) = (addresses(3), Instant::now());
        let mut race = Race::new(a.clone(), false, now, now + PATIENCE);
        assert_eq!(run(&mut race, now, 9000, &[]), [(0, a[0]), (250, a[1]), (500, a[2])]);
        assert_eq!(race.deadline(), None);
    }

    #[test]
    fn alone_the_others_get_nothing_unless_there_is_no_way() {
        let (a, now) = (addresses(3), Instant::now());
        let mut race = Race::new(a.clone(), true, now, now);
        assert_eq!(run(&mut race, now, 9000, &[]), [(0, a[0])]);
        let mut race = Race::new(a.clone(), true, now, now);
        assert_eq!(run(&mut race, now, 9000, &a[..1]), [(0, a[0]), (0, a[1]), (250, a[2])]);
    }

    #[test]
    fn without_a_way_the_next_is_tried_at_once_and_the_first_again_soon() {
        let (a, now) = (addresses(3), Instant::now());
        let mut race = Race::new(a.clone(), false, now, now + Duration::from_millis(120));
        let sent = run(&mut race, now, 9000, &a[..2]);
        let first: Vec<_> = sent.iter().filter(|(ms, _)| *ms == 0).map(|(_, to)| *to).collect();
        assert_eq!(first, a);
        let again: Vec<_> = sent.iter().filter(|(_, to)| *to == a[0]).map(|(ms, _)| *ms).collect();
        assert_eq!(again, [0, 50, 100, 150]);
        assert_eq!(sent.iter().filter(|(_, to)| *to == a[2]).count(), 1);
    }

    #[test]
    fn when_the_peer_is_heard_only_the_first_still_gets_its_message() {
        let (a, now) = (addresses(2), Instant::now());
        let mut race = Race::new(a.clone(), false, now, now + PATIENCE);
        race.calm();
        assert_eq!(run(&mut race, now, 9000, &[]), [(0, a[0])]);
    }

    proptest! {
        #[test]
        fn every_address_is_reached_once_and_failures_end(n in 1u8..8, turn in 0usize..20, closed: u8, alone: bool) {
            let (all, now) = (addresses(n), Instant::now());
            let closed: Vec<_> = all.iter().enumerate().filter(|(i, _)| closed >> i & 1 == 1).map(|(_, a)| *a).collect();
            let order = order(all[0], &all, turn);
            let mut race = Race::new(order.clone(), alone, now, now + PATIENCE);
            let sent = run(&mut race, now, 8000, &closed);
            prop_assert_eq!(race.deadline(), None);
            for address in &all {
                let times = sent.iter().filter(|(_, to)| to == address).count();
                if closed.contains(address) {
                    prop_assert!(times <= 102);
                } else {
                    prop_assert!(times <= 1);
                    prop_assert!(times == 1 || (alone && !closed.contains(&order[0])));
                }
            }
            // The first way that is open is taken before anybody had to wait.
            if let Some(open) = order.iter().find(|a| !closed.contains(a)) {
                prop_assert!(sent.contains(&(0, *open)));
            }
        }
    }
}
