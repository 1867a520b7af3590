//! Finds the largest packet that a path carries, and keeps finding it: DPLPMTUD, RFC 8899. No I/O, no clock, no chance.
//!
//! Sizes are those of whole IP packets outside the tunnel, in bytes. Probes go out in bursts: several sizes, the largest
//! first, and a small one last, the control. Once the control is answered, what was sent before it and isn't answered
//! within a part of the round trip is lost; while it isn't, nothing has been learnt. So a step takes one round trip where the
//! RFC's PROBE_TIMER takes a second at least; docs/decisions/0011 says why that is sound.
//!
//! One loss proves nothing: the search ends when the size above the largest answered one was lost three times (MAX_PROBES).
mod burst;
mod sizes;
#[cfg(test)]
mod tests;

use burst::{Burst, Outcome};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Losses that prove a size to be too large.
const SURE: u8 = 3;
/// While this much passes the size in use is confirmed each second, so that a hole is noticed before TCP gives up.
const BUSY: (u64, Duration) = (16 << 10, Duration::from_secs(1));
/// And at the least traffic worth it.
const CALM: (u64, Duration) = (2 << 10, Duration::from_secs(15));
/// Bursts without any answer until the far end counts as one that answers nothing.
const MUTE: u32 = 6;
/// It is asked again, with one small packet, after this and some traffic.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// What WireGuard can send in one datagram, about.
const LARGEST: u16 = 65_000;
/// Tokens of past probes that may still be answered.
const REMEMBERED: usize = 64;

/// What the path is like at most, and how it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the smallest probe.
    pub control: u16,
    /// What the host's own link carries.
    pub ceiling: u16,
    /// From one try of more than was found to the next (PMTU_RAISE_TIMER).
    pub raise: Duration,
}

/// A packet to send, of exactly `size` bytes and not to be fragmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    pub token: u64,
    pub size: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between the largest size that was answered and the smallest that wasn't.
    Search,
    /// Found; confirmed while there is traffic, and tried for more now and then.
    Settled,
    /// Nothing is answered at all.
    Mute,
}

/// One path: a peer at one address, on one network.
#[derive(Debug)]
pub struct Search {
    limits: Limits,
    phase: Phase,
    /// What was found, while it holds.
    found: Option<u16>,
    /// The largest size that was answered since the search began; 0: none.
    answered: u16,
    /// How often larger ones were lost.
    lost: BTreeMap<u16, u8>,
    /// The ceiling, or less where the kernel has said so.
    top: u16,
    burst: Option<Burst>,
    /// Not before this.
    next: Instant,
    raise_at: Instant,
    /// Bursts without an answer, in a row.
    mutes: u32,
    rtt: Option<Duration>,
    /// Bytes to and from the peer when the path was looked at last.
    traffic: u64,
    seed: u64,
    sent: VecDeque<(u64, u16)>,
}

impl Search {
    /// `rtt` is a first guess; tokens count up from `seed`, which nobody should be able to guess.
    pub fn new(limits: Limits, rtt: Option<Duration>, seed: u64, now: Instant) -> Self {
        let limits = Limits { ceiling: limits.ceiling.clamp(limits.control + 1, LARGEST), ..limits };
        Self {
            limits,
            phase: Phase::Search,
            found: None,
            answered: 0,
            lost: BTreeMap::new(),
            top: limits.ceiling,
            burst: None,
            next: now,
            raise_at: now,
            mutes: 0,
            rtt,
            traffic: 0,
            seed,
            sent: VecDeque::new(),
        }
    }

    /// The largest packet that the path carries, once that is known.
    pub fn found(&self) -> Option<u16> {
        self.found
    }

    /// Whether the far end answers nothing, so that nothing can be found.
    pub fn is_mute(&self) -> bool {
        self.phase == Phase::Mute
    }

    /// Bursts in a row that weren't answered; whoever has several to ask may go on to the next.
    pub fn mutes(&self) -> u32 {
        self.mutes
    }

    /// When `poll` wants to be called again even if nothing passes; None: only traffic can make it do anything.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.burst {
            Some(burst) => Some(burst.deadline(self.rtt, self.mutes)),
            None => (self.phase == Phase::Search).then_some(self.next),
        }
    }

    /// What to send now, in this order. `traffic` counts bytes to and from the peer.
    pub fn poll(&mut self, now: Instant, traffic: u64) -> Vec<Probe> {
        if let Some(burst) = &self.burst {
            match burst.outcome(now, self.rtt, self.mutes) {
                Outcome::Open => return Vec::new(),
                outcome => self.close(outcome, now, traffic),
            }
        }
        let sizes = if now < self.next { None } else { self.due(now, traffic) };
        sizes.map(|sizes| self.send(sizes, now)).unwrap_or_default()
    }

    /// The far end has answered; an unknown token is passed over.
    pub fn answer(&mut self, token: u64, now: Instant) {
        let Some(at) = self.sent.iter().position(|(t, _)| *t == token) else { return };
        let Some((_, size)) = self.sent.remove(at) else { return };
        if let Some(rtt) = self.burst.as_mut().and_then(|burst| burst.answer(token, now)) {
            // The least lasts: what waits behind a burst of its own says little about the path.
            self.rtt = Some(self.rtt.map_or(rtt, |old| if rtt < old { rtt } else { (old * 7 + rtt) / 8 }));
        }
        if size > self.answered {
            self.answered = size;
            self.lost = self.lost.split_off(&(size + 1));
        }
    }

    /// The kernel didn't take it: larger than the host's own link.
    pub fn refuse(&mut self, token: u64) {
        let Some(at) = self.sent.iter().position(|(t, _)| *t == token) else { return };
        let Some((_, size)) = self.sent.remove(at) else { return };
        self.top = self.top.min(size - 1).max(self.limits.control);
        if Some(size) == self.found {
            self.lost.insert(size, SURE);
        }
        if let Some(burst) = &mut self.burst {
            burst.forget(token);
        }
    }

    fn send(&mut self, mut sizes: Vec<u16>, now: Instant) -> Vec<Probe> {
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        sizes.push(self.limits.control);
        let probes: Vec<_> = sizes.into_iter().map(|size| self.probe(size)).collect();
        self.burst = Some(Burst::new(&probes, now));
        probes
    }

    fn probe(&mut self, size: u16) -> Probe {
        let token = self.seed;
        self.seed = self.seed.wrapping_add(1);
        self.sent.push_back((token, size));
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
        Probe { token, size }
    }

    /// Sizes to try now, besides the control; empty: the control alone.
    fn due(&mut self, now: Instant, traffic: u64) -> Option<Vec<u16>> {
        let passed = traffic.saturating_sub(self.traffic);
        match self.phase {
            Phase::Search => Some(self.between()),
            Phase::Mute => (passed >= CALM.0).then(Vec::new),
            Phase::Settled => {
                if now >= self.raise_at && passed >= CALM.0 && self.answered < self.limits.ceiling {
                    self.raise_at = now + self.limits.raise;
                    self.top = self.limits.ceiling;
                    return Some(sizes::above(self.answered, self.top));
                }
                (passed >= BUSY.0 || passed >= CALM.0 && now >= self.next + CALM.1 - BUSY.1)
                    .then(|| self.found.into_iter().collect())
            }
        }
    }

    /// The next step of the search: between the bounds, or the upper one again and, in case it was lost by chance, more.
    fn between(&self) -> Vec<u16> {
        let (low, beyond) = (self.answered, self.top + 1);
        let high = self.lost.keys().next().copied().unwrap_or(beyond).min(beyond);
        let mut sizes = match low {
            0 => sizes::first(self.top),
            _ if high > low + 1 => sizes::between(low, high),
            _ => sizes::above(low, self.top),
        };
        // What is in doubt goes three times.
        let doubted = if low == 0 { self.found } else { Some(high).filter(|_| high == low + 1) };
        sizes.extend(doubted.filter(|size| *size <= self.top).into_iter().flat_map(|size| [size, size]));
        sizes
    }

    fn close(&mut self, outcome: Outcome, now: Instant, traffic: u64) {
        self.burst = None;
        self.traffic = traffic;
        self.next = now;
        let Outcome::Lost(lost) = outcome else {
            self.mutes += 1;
            let silent = self.mutes >= MUTE;
            match self.phase {
                Phase::Search if silent => self.enter_mute(now),
                Phase::Search => {}
                Phase::Settled => self.next = now + BUSY.1 * self.mutes.min(CALM.1.as_secs() as u32),
                Phase::Mute => self.enter_mute(now),
            }
            return;
        };
        self.mutes = 0;
        match self.phase {
            Phase::Mute => self.begin(),
            Phase::Settled => self.look_at_settled(&lost, now),
            Phase::Search => self.look_at_search(&lost, now),
        }
    }

    fn enter_mute(&mut self, now: Instant) {
        self.phase = Phase::Mute;
        self.next = now + ASK_AGAIN;
    }

    /// All over again, but for what was found, which holds until it is lost for sure.
    fn begin(&mut self) {
        self.phase = Phase::Search;
        self.answered = 0;
        self.top = self.limits.ceiling;
        self.lost.clear();
        self.sent.clear();
    }

    fn look_at_settled(&mut self, lost: &[u16], now: Instant) {
        let found = self.found.unwrap_or(0);
        if self.answered > found {
            self.lost.clear();
            self.phase = Phase::Search;
        } else if self.lost.contains_key(&found) || lost.contains(&found) {
            let times = self.lost.get(&found).copied().unwrap_or(1);
            self.begin();
            self.lost.insert(found, times);
        } else {
            self.next = now + BUSY.1;
        }
    }

    fn look_at_search(&mut self, lost: &[u16], now: Instant) {
        for size in lost.iter().filter(|size| **size > self.answered) {
            let times = self.lost.entry(*size).or_default();
            *times = times.saturating_add(1);
        }
        let sure = |size: u16| self.lost.get(&size).is_some_and(|times| *times >= SURE);
        let ends = self.answered >= self.top || sure(self.answered + 1);
        if self.answered <= self.limits.control {
            // Whatever is longer than the control is dropped: by its length, or since it is padded. Which, can't be told.
            if ends {
                self.found = None;
                self.enter_mute(now);
            }
            return;
        }
        // A hole: anything that passes is better than what doesn't, before the search has ended.
        if ends || self.found.is_some_and(|found| found > self.answered && sure(found)) {
            self.found = Some(self.answered);
        }
        if ends {
            self.phase = Phase::Settled;
            self.lost.clear();
            self.next = now + BUSY.1;
            self.raise_at = now + self.limits.raise;
        }
    }
}
