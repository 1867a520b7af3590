//! When a peer is called, and where: initiations to its addresses in turn, the first packet on another network, and how
//! long it may be silent.
use crate::agenda::Busy;
use crate::greeting::{Greeting, Step};
use crate::peer::PeerState;
use crate::race::{PATIENCE, Race, order};
use crate::silence::Silence;
use crate::udp::Wire;
use gotatun::noise::activity::Moment;
use gotatun::packet::{Packet, WgHandshakeInit, WgKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

/// An unanswered handshake is reported after this time at the latest, and again each time it has passed anew.
pub const STALE_AFTER: Duration = Duration::from_secs(15);
/// And at the earliest, when the peer had been silent before.
const STALE_SOONEST: Duration = Duration::from_secs(5);
/// A handshake asked for by the user is sent again at most this often.
const KICK_AGAIN: Duration = Duration::from_secs(1);
/// No way to the endpoint: others are looked for at most this often.
const SEARCH_AGAIN: Duration = Duration::from_secs(1);
/// gotatun's retries, REKEY_TIMEOUT.
const RETRY: Duration = Duration::from_secs(5);

pub type Initiation = Packet<WgHandshakeInit>;

/// What is under way with one peer.
#[derive(Default)]
pub(crate) struct Calls {
    silence: Silence,
    attempt: Option<Attempt>,
    /// The last initiation, while there are addresses that it is still due to.
    race: Option<(Race, Wire)>,
    greeting: Option<Greeting>,
    /// Since when we are on this network.
    bound: Option<Instant>,
    searched: Option<Instant>,
    /// What `listen` has taken note of.
    listened: Option<Moment>,
    initiator: bool,
}

/// Our initiations since the last one that was answered.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    began: Instant,
    last_sent: Instant,
    /// The next time to report that nothing is answered.
    report_at: Instant,
    /// Initiations while the peer was not heard at all.
    turn: usize,
}

/// A datagram that isn't data, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Initiation,
    Knock,
    Other,
}

impl Calls {
    /// Whether more than one initiation has gone unanswered.
    pub fn are_repeated(&self) -> bool {
        self.attempt.is_some_and(|attempt| attempt.turn > 1)
    }
}

impl PeerState {
    /// An initiation to begin with at once, unless one has just been sent or there is no endpoint.
    pub fn kick(&mut self, now: Instant) -> Option<Initiation> {
        self.endpoint()?;
        if self.calls.attempt.is_some_and(|a| now.saturating_duration_since(a.last_sent) < KICK_AGAIN) {
            return None;
        }
        self.tunn.format_handshake_initiation(true)
    }

    /// Send this initiation, to one address after the other, by `next_initiation`.
    pub fn begin(&mut self, message: Initiation, now: Instant) {
        let Some(endpoint) = self.endpoint() else { return };
        let alive = self.calls.silence.is_alive(now);
        let latest = now + STALE_AFTER;
        let report_at = match self.calls.silence.verdict().filter(|_| !self.addresses().is_empty()) {
            Some(verdict) => verdict.max(now + STALE_SOONEST).min(latest),
            None => latest,
        };
        let new = Attempt { began: now, last_sent: now, report_at, turn: 0 };
        let attempt = self.calls.attempt.get_or_insert(new);
        attempt.last_sent = now;
        let turn = if alive { 0 } else { attempt.turn };
        attempt.turn += usize::from(!alive);
        let patient_since = self.calls.bound.map_or(attempt.began, |bound| bound.max(attempt.began));
        let race = Race::new(order(endpoint, self.addresses(), turn), alive, now, patient_since + PATIENCE);
        self.calls.race = Some((race, message.into()));
    }

    /// Where the initiation is due to now.
    pub fn next_initiation(&mut self, now: Instant) -> Option<(Wire, SocketAddr)> {
        let (race, message) = self.calls.race.as_mut()?;
        let to = race.next(now)?;
        Some((message.clone(), to))
    }

    /// A greeting's next step: a packet to send, or an initiation to begin with.
    pub fn greet(&mut self, now: Instant) -> (Option<(Wire, SocketAddr)>, Option<Initiation>) {
        let pause = self.calls.silence.pause();
        match self.calls.greeting.as_mut().and_then(|greeting| greeting.next(now, pause)) {
            Some(Step::Knock(to)) => match self.tunn.encapsulate_with_session(Packet::default()) {
                Ok(knock) => (Some((knock.into(), to)), None),
                Err(_) => (None, None),
            },
            Some(Step::Handshake) => {
                if self.addresses().is_empty() {
                    // Who came to us by himself is left to find us again.
                    self.calls.greeting = None;
                    return (None, None);
                }
                let lately = |a: Attempt| now.saturating_duration_since(a.last_sent) < pause;
                if self.calls.attempt.is_some_and(lately) {
                    return (None, None);
                }
                (None, self.tunn.format_handshake_initiation(true))
            }
            None => (None, None),
        }
    }

    /// What became of a datagram. True when the endpoint is another one for it.
    pub fn went(&mut self, purpose: Purpose, to: SocketAddr, has_way: bool, now: Instant) -> bool {
        match purpose {
            Purpose::Initiation if !has_way => {
                if let Some((race, _)) = &mut self.calls.race {
                    race.failed(to, now);
                }
            }
            Purpose::Knock if !has_way => {
                if let Some(greeting) = &mut self.calls.greeting {
                    greeting.failed(now);
                }
            }
            Purpose::Knock => return self.set_endpoint(to),
            Purpose::Initiation | Purpose::Other => {}
        }
        false
    }

    /// We have fresh sockets, perhaps on another network. Gives an initiation to begin with at once, where the session
    /// doesn't do.
    pub fn rebound(&mut self, now: Instant) -> Option<Initiation> {
        let endpoint = self.endpoint()?;
        self.calls.bound = Some(now);
        self.calls.silence.begin_anew();
        self.tunn.activity().forget_unanswered();
        let has_session = self.tunn.time_since_last_handshake().is_some();
        self.calls.greeting = has_session.then(|| Greeting::new(order(endpoint, self.addresses(), 0), now));
        // The answer to the last initiation would go where we are no more.
        if self.tunn.has_active_session() && self.calls.attempt.is_none() {
            return None;
        }
        self.tunn.format_handshake_initiation(true)
    }

    /// There is no way to the endpoint. True when another address is to be looked for.
    pub fn lost_way(&mut self, now: Instant) -> bool {
        let Some(endpoint) = self.endpoint() else { return false };
        let lately = |then| now.saturating_duration_since(then) < SEARCH_AGAIN;
        let searching = self.calls.greeting.as_ref().is_some_and(Greeting::is_knocking);
        if self.addresses().len() < 2 || searching || self.calls.searched.is_some_and(lately) {
            return false;
        }
        self.calls.searched = Some(now);
        self.calls.silence.doubt();
        self.calls.greeting = Some(Greeting::new(order(endpoint, self.addresses(), 0), now));
        true
    }

    /// Takes note of what has come and gone without this state: transport messages need none of it.
    pub fn listen(&mut self, now: Instant) {
        let activity = self.tunn.activity();
        let (received, unanswered) = (activity.last_received(), activity.since_unanswered());
        if received.is_some() && received != self.calls.listened {
            self.calls.listened = received;
            let at = activity.since_received().and_then(|age| now.checked_sub(age)).unwrap_or(now);
            self.heard(at);
        }
        if let Some(age) = self.tunn.activity().since_opened() {
            self.keys.heard(now.checked_sub(age).unwrap_or(now));
        }
        if let Some(age) = unanswered {
            self.spoke(now.checked_sub(age).unwrap_or(now));
        }
    }

    /// Data has left.
    pub fn spoke(&mut self, now: Instant) {
        self.calls.silence.spoke(now);
    }

    /// Something authenticated has come.
    pub fn heard(&mut self, now: Instant) {
        self.calls.silence.heard(now);
        self.calls.greeting = None;
        if let Some((race, _)) = &mut self.calls.race {
            race.calm();
        }
    }

    /// A session is agreed; `rtt` if it was us who asked for it.
    pub fn completed(&mut self, rtt: Option<Duration>, now: SystemTime) {
        self.calls.attempt = None;
        self.calls.race = None;
        self.calls.initiator = rtt.is_some();
        if let Some(rtt) = rtt {
            self.calls.silence.measured(rtt);
        }
        self.last_handshake = Some(now);
    }

    /// For a peer that leaves data unanswered for too long: an initiation to begin with.
    pub fn probe(&mut self, now: Instant) -> Option<Initiation> {
        self.endpoint()?;
        let last = self.calls.attempt.map(|attempt| attempt.last_sent);
        if self.addresses().is_empty() || !self.calls.silence.probes(last, now) {
            return None;
        }
        self.tunn.format_handshake_initiation(true)
    }

    /// A keepalive is about to leave, which renews an old session as data does (whitepaper, 6.2); gotatun has it expire.
    pub fn renew(&mut self, message: &WgKind) -> Option<Initiation> {
        let is_keepalive = matches!(message, WgKind::Data(data) if data.is_keepalive());
        if !is_keepalive || !self.calls.initiator || self.calls.attempt.is_some() || self.tunn.has_active_session() {
            return None;
        }
        self.tunn.format_handshake_initiation(false)
    }

    /// gotatun has given up after 90 s of attempts. With a keepalive we go on for ever, as Linux does.
    pub fn expired(&mut self, now: Instant) -> Option<Initiation> {
        if let Some(attempt) = self.calls.attempt {
            if now.saturating_duration_since(attempt.last_sent) < RETRY {
                return None;
            }
            if self.keepalive().is_none() {
                self.calls.attempt = None;
            }
        }
        self.keepalive()?;
        self.endpoint()?;
        self.tunn.format_handshake_initiation(false)
    }

    /// Whether it is time to say that the peer doesn't answer.
    pub fn stale(&mut self, now: Instant) -> bool {
        let alive = self.calls.silence.is_alive(now);
        match &mut self.calls.attempt {
            Some(attempt) if now >= attempt.report_at && !alive => {
                attempt.report_at = now + STALE_AFTER;
                true
            }
            _ => false,
        }
    }

    /// How soon to look at the clock again.
    pub fn busy(&self) -> Busy {
        let calls = &self.calls;
        let calling = calls.attempt.is_some() || calls.race.is_some() || calls.greeting.is_some();
        if calling || self.tunn.activity().is_pending() || self.tunn.is_in_progress() {
            return Busy::Now;
        }
        let kept = self.keepalive().is_some() && self.endpoint().is_some();
        if kept || self.tunn.has_session() {
            return Busy::Calm;
        }
        self.tunn.until_expiry().map_or(Busy::Asleep, Busy::Until)
    }

    /// When there is something to send that isn't gotatun's.
    pub fn deadline(&self) -> Option<Instant> {
        let race = self.calls.race.as_ref().and_then(|(race, _)| race.deadline());
        let greeting = self.calls.greeting.as_ref().and_then(Greeting::deadline);
        race.into_iter().chain(greeting).min()
    }
}

#[cfg(test)]
mod tests;
