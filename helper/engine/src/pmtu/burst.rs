//! Probes sent at once, and what their answers say.
use super::Probe;
use std::time::{Duration, Instant};

/// How long a burst waits for its control: while the round trip isn't known, and within these bounds once it is.
const UNKNOWN: Duration = Duration::from_millis(700);
const PATIENCE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));
/// How long after the control's answer the others' may come: they are longer, and may have been passed on the way.
const SLACK: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(250));

#[derive(Debug)]
pub struct Burst {
    /// Not answered yet; the last one of all is the control.
    waiting: Vec<Probe>,
    control: u64,
    began: Instant,
    /// When the control was answered.
    heard: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answers may still come.
    Open,
    /// The control was answered, these sizes weren't.
    Lost(Vec<u16>),
    /// The control wasn't: nothing is known.
    Mute,
}

impl Burst {
    pub fn new(probes: &[Probe], now: Instant) -> Self {
        let control = probes.last().map_or(0, |probe| probe.token);
        Self { waiting: probes.to_vec(), control, began: now, heard: None }
    }

    /// Gives the time that the control's answer took.
    pub fn answer(&mut self, token: u64, now: Instant) -> Option<Duration> {
        self.forget(token);
        if token != self.control {
            return None;
        }
        self.heard = Some(now);
        Some(now.saturating_duration_since(self.began))
    }

    pub fn forget(&mut self, token: u64) {
        self.waiting.retain(|probe| probe.token != token);
    }

    /// Waits longer after `mutes` bursts that weren't answered.
    pub fn deadline(&self, rtt: Option<Duration>, mutes: u32) -> Instant {
        match self.heard {
            Some(_) if self.waiting.is_empty() => self.began,
            Some(heard) => heard + (rtt.unwrap_or_default() / 2).clamp(SLACK.0, SLACK.1),
            None => {
                let patience = rtt.map_or(UNKNOWN, |rtt| rtt * 4) * (1 + mutes.min(4));
                self.began + patience.clamp(PATIENCE.0, PATIENCE.1)
            }
        }
    }

    pub fn outcome(&self, now: Instant, rtt: Option<Duration>, mutes: u32) -> Outcome {
        if now < self.deadline(rtt, mutes) {
            return Outcome::Open;
        }
        match self.heard {
            Some(_) => Outcome::Lost(self.waiting.iter().map(|probe| probe.size).collect()),
            None => Outcome::Mute,
        }
    }
}
