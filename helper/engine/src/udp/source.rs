//! Which of our own addresses a peer is answered from: the one that it calls, where the kernel would take another.
//!
//! A gateway with several addresses must answer from the one that was called: the client's NAT and firewall know that one
//! only. But a client that has moved to another network must not hold on to the address of the old one. So an address is
//! held to only if packets that come to it arrive by the interface that answers from it leave by, as Linux's own WireGuard
//! has it (`socket.c`, `send4`, `send6`), and this is looked at again every few seconds. Time and routes are passed in.
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a judgement holds.
const HOLDS: Duration = Duration::from_secs(5);
/// More peers than that are judged more often.
const CAPACITY: usize = 16_384;

/// Where a datagram arrived: our address, and the interface's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub local: IpAddr,
    pub interface: u32,
}

/// The kernel's present way to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The address that it would send from.
    pub source: Option<IpAddr>,
    pub interface: u32,
}

/// Remote addresses and what they are answered from. Costs one atomic load while nobody is answered from an address that
/// isn't the kernel's choice.
#[derive(Debug, Default)]
pub struct Sources {
    any: AtomicBool,
    judged: Mutex<HashMap<SocketAddr, Judged>>,
}

#[derive(Clone, Copy, Debug)]
struct Judged {
    arrival: Arrival,
    sticks: bool,
    at: Instant,
}

impl Sources {
    /// An authenticated datagram of `from` has arrived. `way` finds the kernel's way there, from this address of ours if
    /// one is given.
    pub fn learn(
        &self,
        from: SocketAddr,
        arrival: Arrival,
        now: Instant,
        way: impl Fn(SocketAddr, Option<IpAddr>) -> Option<Way>,
    ) {
        let mut judged = self.judged.lock();
        let known = |j: &Judged| j.arrival == arrival && now.saturating_duration_since(j.at) < HOLDS;
        if judged.get(&from).is_some_and(known) {
            return;
        }
        let sticks = sticks(from, arrival, way);
        if judged.len() >= CAPACITY {
            judged.clear();
        }
        judged.insert(from, Judged { arrival, sticks, at: now });
        if sticks {
            self.any.store(true, Relaxed);
        }
    }

    /// The address to send from; none leaves it to the kernel.
    pub fn get(
        &self,
        to: SocketAddr,
        now: impl Fn() -> Instant,
        way: impl Fn(SocketAddr, Option<IpAddr>) -> Option<Way>,
    ) -> Option<IpAddr> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let mut judged = self.judged.lock();
        let found = judged.get_mut(&to).filter(|j| j.sticks)?;
        let now = now();
        if now.saturating_duration_since(found.at) >= HOLDS {
            (found.sticks, found.at) = (sticks(to, found.arrival, way), now);
        }
        found.sticks.then_some(found.arrival.local)
    }

    /// The kernel refused to send from there. True when another try, without it, makes sense.
    pub fn refused(&self, to: &SocketAddr) -> bool {
        self.any.load(Relaxed) && self.judged.lock().remove(to).is_some_and(|j| j.sticks)
    }
}

fn sticks(to: SocketAddr, arrival: Arrival, way: impl Fn(SocketAddr, Option<IpAddr>) -> Option<Way>) -> bool {
    let usual = way(to, None);
    if usual.is_some_and(|w| w.source == Some(arrival.local)) {
        return false;
    }
    way(to, Some(arrival.local)).is_some_and(|w| w.interface == arrival.interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: ([u8; 4], u16) = ([192, 0, 2, 9], 51820);

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    /// A host that sends from `usual`, and out of `interface` whatever it sends from.
    fn host(usual: u8, interface: u32) -> impl Fn(SocketAddr, Option<IpAddr>) -> Option<Way> {
        move |_, from| Some(Way { source: Some(from.unwrap_or(ip(usual))), interface })
    }

    fn learnt(arrival: Arrival, usual: u8, interface: u32) -> (Sources, Option<IpAddr>) {
        let (sources, now) = (Sources::default(), Instant::now());
        sources.learn(PEER.into(), arrival, now, host(usual, interface));
        let found = sources.get(PEER.into(), || now, host(usual, interface));
        (sources, found)
    }

    #[test]
    fn a_peer_is_answered_from_the_address_that_it_calls() {
        let (sources, found) = learnt(Arrival { local: ip(2), interface: 1 }, 1, 1);
        assert_eq!(found, Some(ip(2)));
        assert_eq!(sources.get((ip(99), 1).into(), Instant::now, host(1, 1)), None);
    }

    #[test]
    fn what_the_kernel_would_choose_is_left_to_it() {
        let (sources, found) = learnt(Arrival { local: ip(1), interface: 1 }, 1, 1);
        assert_eq!(found, None);
        assert!(!sources.any.load(Relaxed));
    }

    #[test]
    fn an_address_of_another_network_is_not_held_to() {
        assert_eq!(learnt(Arrival { local: ip(2), interface: 1 }, 1, 2).1, None);
    }

    #[test]
    fn it_is_let_go_when_the_way_changes_or_the_kernel_refuses() {
        let arrival = Arrival { local: ip(2), interface: 1 };
        let (sources, _) = learnt(arrival, 1, 1);
        let later = Instant::now() + HOLDS;
        assert_eq!(sources.get(PEER.into(), || later, host(7, 2)), None);
        assert_eq!(sources.get(PEER.into(), || later, host(1, 1)), None);
        let (sources, _) = learnt(arrival, 1, 1);
        assert!(sources.refused(&PEER.into()));
        assert!(!sources.refused(&PEER.into()));
        assert_eq!(sources.get(PEER.into(), Instant::now, host(1, 1)), None);
    }

    #[test]
    fn another_call_is_judged_at_once_and_the_same_one_rarely() {
        let (sources, now) = (Sources::default(), Instant::now());
        let looks = std::cell::Cell::new(0);
        let counted = |to, from| {
            looks.set(looks.get() + 1);
            host(1, 1)(to, from)
        };
        for _ in 0..100 {
            sources.learn(PEER.into(), Arrival { local: ip(2), interface: 1 }, now, counted);
        }
        assert_eq!(looks.get(), 2);
        sources.learn(PEER.into(), Arrival { local: ip(3), interface: 1 }, now, counted);
        assert_eq!(sources.get(PEER.into(), || now, host(1, 1)), Some(ip(3)));
    }

    #[test]
    fn peers_without_number_take_bounded_memory() {
        let (sources, now) = (Sources::default(), Instant::now());
        for n in 0..2 * CAPACITY as u32 + 9 {
            let from = SocketAddr::from((std::net::Ipv4Addr::from(n), 1));
            sources.learn(from, Arrival { local: ip(2), interface: 1 }, now, host(1, 1));
        }
        assert!(sources.judged.lock().len() <= CAPACITY);
    }
}
