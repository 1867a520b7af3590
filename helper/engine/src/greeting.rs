//! How a peer learns that we are elsewhere, on a session that lives: a packet without content at once, by the first of its
//! addresses that the host has a way to, and handshakes while it then stays silent. A link without a carrier, or an address
//! from the old network, takes packets and loses them, so the first seconds are no time for long pauses. No I/O, no clock.
use crate::race::{AGAIN, PATIENCE};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// So long may a peer say nothing before it is asked for a handshake.
const SILENCE: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub struct Greeting {
    order: Vec<SocketAddr>,
    at: usize,
    due: Instant,
    until: Instant,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Knocking,
    Waiting,
    Done,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send an empty packet of the session there.
    Knock(SocketAddr),
    /// Send an initiation.
    Handshake,
}

impl Greeting {
    /// Begins now. `order` has at least one address.
    pub fn new(order: Vec<SocketAddr>, now: Instant) -> Self {
        Self { order, at: 0, due: now, until: now + PATIENCE, state: State::Knocking }
    }

    /// After a knock that couldn't be sent, `failed` has to come before the next call.
    ///
    /// `pause`: from one handshake to the next.
    pub fn next(&mut self, now: Instant, pause: Duration) -> Option<Step> {
        if now < self.due {
            return None;
        }
        match self.state {
            State::Knocking => {
                self.state = State::Waiting;
                self.due = now + SILENCE;
                Some(Step::Knock(self.order[self.at]))
            }
            State::Waiting => {
                self.due = now + pause;
                if self.due > self.until {
                    self.state = State::Done;
                }
                Some(Step::Handshake)
            }
            State::Done => None,
        }
    }

    /// The host has no way to the address of the last knock.
    pub fn failed(&mut self, now: Instant) {
        if self.state != State::Waiting {
            return;
        }
        self.at += 1;
        self.due = now;
        if self.at < self.order.len() {
            self.state = State::Knocking;
        } else if now < self.until {
            self.at = 0;
            self.due = now + AGAIN;
            self.state = State::Knocking;
        }
    }

    /// Whether it is looking for a way.
    pub fn is_knocking(&self) -> bool {
        self.state == State::Knocking
    }

    /// When `next` has something to give.
    pub fn deadline(&self) -> Option<Instant> {
        (self.state != State::Done).then_some(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(n: u8) -> Vec<SocketAddr> {
        (1..=n).map(|i| SocketAddr::from(([192, 0, 2, i], 51820))).collect()
    }

    /// What is done when, in ms, while only those for whom `open` holds can be sent to.
    fn run(order: &[SocketAddr], open: impl Fn(u64, SocketAddr) -> bool) -> Vec<(u64, Step)> {
        let begin = Instant::now();
        let mut greeting = Greeting::new(order.to_vec(), begin);
        let mut done = vec![];
        for ms in 0..9000 {
            let now = begin + Duration::from_millis(ms);
            while let Some(step) = greeting.next(now, Duration::from_secs(2)) {
                done.push((ms, step));
                if let Step::Knock(to) = step
                    && !open(ms, to)
                {
                    greeting.failed(now);
                }
            }
        }
        assert_eq!(greeting.deadline(), None);
        done
    }

    #[test]
    fn a_knock_at_the_endpoint_and_handshakes_while_nothing_comes() {
        let a = addresses(2);
        let shakes = [250, 2250, 4250].map(|ms| (ms, Step::Handshake));
        assert_eq!(run(&a, |_, _| true), [&[(0, Step::Knock(a[0]))], &shakes[..]].concat());
    }

    #[test]
    fn without_a_way_to_the_endpoint_another_is_taken_at_once() {
        let a = addresses(2);
        let all = [(0, Step::Knock(a[0])), (0, Step::Knock(a[1])), (250, Step::Handshake)];
        assert_eq!(run(&a, |_, to| to == a[1])[..3], all);
    }

    #[test]
    fn without_any_way_it_is_tried_again_until_there_is_one() {
        let a = addresses(2);
        let done = run(&a, |ms, to| ms >= 400 && to == a[1]);
        assert_eq!(done[17..19], [(400, Step::Knock(a[1])), (650, Step::Handshake)]);
        assert!(done[19..].iter().all(|(_, step)| *step == Step::Handshake));
    }

    #[test]
    fn in_the_end_the_handshake_is_left_to_its_own_retries() {
        let done = run(&addresses(1), |_, _| false);
        assert_eq!(done.last(), Some(&(5000, Step::Handshake)));
        assert_eq!(done.len(), 5000 / 50 + 2);
    }
}
