//! Whether a peer is there: when it was heard, and since when we have talked without an answer. No I/O, no clock.
//!
//! Who receives data and has none to send says so after 10 s (whitepaper, 6.5). Whoever is silent for longer is asked for a
//! handshake, a few seconds before gotatun would (15 s, whitepaper, 6.4), and again and again for 7 s, slower if its
//! answers took longer last time: so many are hardly lost by chance, and the verdict comes while somebody still waits.
use std::time::{Duration, Instant};

/// The longest that a peer in order leaves data without an answer, the way there and back not counted.
const PASSIVE: Duration = Duration::from_secs(10);
/// From the first of these handshakes to the verdict.
const TRIES: Duration = Duration::from_secs(7);

#[derive(Clone, Copy, Debug, Default)]
pub struct Silence {
    heard: Option<Instant>,
    unanswered: Option<Instant>,
    rtt: Duration,
}

impl Silence {
    /// Data has been sent.
    pub fn spoke(&mut self, now: Instant) {
        self.unanswered.get_or_insert(now);
    }

    /// Something authenticated came.
    pub fn heard(&mut self, now: Instant) {
        self.heard = Some(now);
        self.unanswered = None;
    }

    /// How long the last handshake took.
    pub fn measured(&mut self, rtt: Duration) {
        self.rtt = rtt;
    }

    /// It was heard on a way that may be none any more.
    pub fn doubt(&mut self) {
        self.heard = None;
    }

    /// What was before says nothing about the network that we are on now.
    pub fn begin_anew(&mut self) {
        *self = Self { rtt: self.rtt, ..Self::default() };
    }

    /// Whether it was heard lately, so that it is there whatever else goes unanswered.
    pub fn is_alive(&self, now: Instant) -> bool {
        self.heard.is_some_and(|heard| now.saturating_duration_since(heard) < PASSIVE)
    }

    /// Whether to ask for a handshake, the last one having been asked for at `last`.
    pub fn probes(&self, last: Option<Instant>, now: Instant) -> bool {
        let Some(begin) = self.unanswered.map(|since| since + self.patience()) else { return false };
        let paused = last.is_none_or(|last| now.saturating_duration_since(last) >= self.pause());
        now >= begin && paused && (last.is_none() || now < begin + TRIES)
    }

    /// When a peer that leaves data unanswered is given up.
    pub fn verdict(&self) -> Option<Instant> {
        self.unanswered.map(|since| since + self.patience() + TRIES)
    }

    fn patience(&self) -> Duration {
        let slack = 2 * self.rtt + Duration::from_millis(500);
        PASSIVE + slack.clamp(Duration::from_secs(1), Duration::from_secs(5))
    }

    /// From one initiation to the next. gotatun remembers two: the answer to one has to come before the one after the next.
    pub fn pause(&self) -> Duration {
        (2 * self.rtt).clamp(Duration::from_millis(750), Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// When initiations leave and when the peer is given up, in ms after the first data, if nothing ever comes.
    fn alone(rtt: Duration) -> (Vec<u64>, u64) {
        let begin = Instant::now();
        let mut silence = Silence::default();
        silence.measured(rtt);
        silence.spoke(begin);
        let (mut last, mut sent) = (None, vec![]);
        for ms in (0..60_000).step_by(250) {
            let now = begin + Duration::from_millis(ms);
            silence.spoke(now);
            if silence.probes(last, now) {
                last = Some(now);
                sent.push(ms);
            }
        }
        (sent, (silence.verdict().unwrap() - begin).as_millis() as u64)
    }

    #[test]
    fn a_dead_peer_is_asked_ten_times_and_given_up_after_18_s() {
        assert_eq!(alone(SECOND / 50), ((0..10).map(|n| 11_000 + n * 750).collect(), 18_000));
    }

    #[test]
    fn a_slow_path_gets_more_time_and_fewer_questions() {
        assert_eq!(alone(2 * SECOND), (vec![14_500, 18_500], 21_500));
        assert_eq!(alone(4 * SECOND), (vec![15_000, 20_000], 22_000));
    }

    #[test]
    fn who_answers_within_the_protocols_time_is_never_asked() {
        let begin = Instant::now();
        let mut silence = Silence::default();
        for second in 0..600 {
            let now = begin + second * SECOND;
            silence.spoke(now);
            assert!(!silence.probes(None, now));
            if second % 10 == 9 {
                silence.heard(now + SECOND / 2);
            }
        }
    }

    #[test]
    fn another_network_begins_anew() {
        let t = Instant::now();
        let mut silence = Silence::default();
        silence.heard(t);
        silence.spoke(t);
        assert!(silence.is_alive(t));
        silence.begin_anew();
        assert!(!silence.is_alive(t));
        assert_eq!(silence.verdict(), None);
    }

    /// One-way data, so that only the peer's passive keepalives and its answers to handshakes tell of it: the hardest case.
    /// Gives how often it is given up in `hours`, while each datagram is lost with `loss` and takes `delay` one way.
    fn false_alarms(seed: u64, loss: f64, delay_ms: u64, hours: u64) -> u32 {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut random = seed;
        let mut arrives = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((random >> 33) as f64 / f64::from(1u32 << 31)) >= loss
        };
        let mut silence = Silence::default();
        silence.measured(Duration::from_millis(2 * delay_ms));
        let (mut last, mut heard_at, mut keepalive_at, mut alarms) = (None, Vec::new(), None, 0);
        for ms in (0..hours * 3_600_000).step_by(250) {
            if heard_at.iter().any(|t| *t <= ms) {
                heard_at.retain(|t| *t > ms);
                silence.heard(at(ms));
                last = None;
            }
            if ms % 1000 == 0 {
                silence.spoke(at(ms));
                if arrives() {
                    keepalive_at.get_or_insert(ms + delay_ms + 10_000);
                }
            }
            if keepalive_at.is_some_and(|t| t <= ms) {
                keepalive_at = None;
                if arrives() {
                    heard_at.push(ms + delay_ms);
                }
            }
            if silence.probes(last, at(ms)) {
                last = Some(at(ms));
                if arrives() && arrives() {
                    heard_at.push(ms + 2 * delay_ms);
                }
            }
            if silence.verdict().is_some_and(|t| t <= at(ms)) {
                alarms += 1;
                silence.begin_anew();
                last = None;
            }
        }
        alarms
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn latency_alone_is_never_death(seed: u64, delay_ms in 0u64..2000) {
            prop_assert_eq!(false_alarms(seed, 0.0, delay_ms, 1), 0);
        }
    }

    #[test]
    fn at_a_loss_of_30_percent_hardly_ever() {
        // Of nothing but one-way data; where data comes back there is no silence at all.
        let alarms: u32 = (0..4).map(|seed| false_alarms(seed, 0.3, 30, 24)).sum();
        assert!(alarms < 20, "{alarms} in 96 h");
    }
}
