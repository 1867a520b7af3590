//! When a peer is called, and where: initiations to its addresses in turn, the first packet on another network, and how
//! long it may be silent.
use crate::greeting::{Greeting, Step};
use crate::peer::PeerState;
use crate::race::{PATIENCE, Race, order};
use crate::silence::Silence;
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
    race: Option<(Race, Vec<u8>)>,
    greeting: Option<Greeting>,
    /// Since when we are on this network.
    bound: Option<Instant>,
    searched: Option<Instant>,
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
        self.calls.race = Some((race, message.into_bytes().to_vec()));
    }

    /// Where the initiation is due to now.
    pub fn next_initiation(&mut self, now: Instant) -> Option<(Packet, SocketAddr)> {
        let (race, message) = self.calls.race.as_mut()?;
        let to = race.next(now)?;
        Some((Packet::copy_from(message.as_slice()), to))
    }

    /// A greeting's next step: a packet to send, or an initiation to begin with.
    pub fn greet(&mut self, now: Instant) -> (Option<(Packet, SocketAddr)>, Option<Initiation>) {
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

    /// When there is something to send that isn't gotatun's.
    pub fn deadline(&self) -> Option<Instant> {
        let race = self.calls.race.as_ref().and_then(|(race, _)| race.deadline());
        let greeting = self.calls.greeting.as_ref().and_then(Greeting::deadline);
        race.into_iter().chain(greeting).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::{FREE_PER_ADDRESS, Limiter};
    use crate::peer::tests::{identity, state};
    use gotatun::noise::index_table::IndexTable;
    use gotatun::noise::{TimerParams, TunnResult};

    const MS: Duration = Duration::from_millis(1);

    fn at(host: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, host], 51820))
    }

    fn send(s: &mut PeerState, now: Instant) -> Vec<SocketAddr> {
        std::iter::from_fn(|| s.next_initiation(now)).map(|(_, to)| to).collect()
    }

    fn kick(s: &mut PeerState, now: Instant) -> bool {
        let message = s.kick(now);
        let kicked = message.is_some();
        message.into_iter().for_each(|m| s.begin(m, now));
        kicked
    }

    /// Two ends with a session, the first of which has asked for it; the other is at 192.0.2.1 or .2.
    fn pair() -> (PeerState, PeerState) {
        pair_with(None)
    }

    fn pair_with(timers: Option<&TimerParams>) -> (PeerState, PeerState) {
        let (mine, theirs) = (identity(1), identity(2));
        let table = IndexTable::from_os_rng;
        let mut a = PeerState::new(&mine, theirs.public.as_bytes(), None, table(), timers);
        let mut b = PeerState::new(&theirs, mine.public.as_bytes(), None, table(), timers);
        a.configure(at(1), &[at(2)]);
        let now = Instant::now();
        let init = a.kick(now).unwrap().into();
        let TunnResult::WriteToNetwork(answer) = b.tunn.handle_incoming_packet(init) else { panic!() };
        let TunnResult::WriteToNetwork(first) = a.tunn.handle_incoming_packet(answer) else { panic!() };
        a.completed(Some(MS), SystemTime::now());
        a.heard(now);
        assert!(matches!(b.tunn.handle_incoming_packet(first), TunnResult::WriteToTunnel(_)));
        (a, b)
    }

    #[test]
    fn unanswered_handshakes_are_reported_every_15_s() {
        let mut s = state(true);
        let t = Instant::now();
        assert!(!s.stale(t + STALE_AFTER));
        assert!(kick(&mut s, t));
        assert!(!s.stale(t + STALE_AFTER - MS));
        assert!(kick(&mut s, t + RETRY));
        assert!(s.stale(t + STALE_AFTER));
        assert!(!s.stale(t + STALE_AFTER));
        assert!(s.stale(t + 2 * STALE_AFTER));
        s.completed(None, SystemTime::now());
        assert!(!s.stale(t + 9 * STALE_AFTER));
    }

    #[test]
    fn a_handshake_that_fails_while_data_comes_is_no_death() {
        let (mut s, _) = pair();
        let t = Instant::now();
        assert!(kick(&mut s, t));
        for second in 0..40 {
            let now = t + Duration::from_secs(second);
            s.heard(now);
            assert!(!s.stale(now));
        }
        assert!(s.stale(t + Duration::from_secs(50)));
    }

    #[test]
    fn a_kick_needs_an_endpoint_and_a_pause() {
        assert!(state(false).kick(Instant::now()).is_none());
        let mut s = state(true);
        let t = Instant::now();
        assert!(kick(&mut s, t));
        assert!(!kick(&mut s, t + KICK_AGAIN / 2));
        assert!(kick(&mut s, t + KICK_AGAIN));
    }

    #[test]
    fn only_keepalive_makes_attempts_go_on_after_the_end() {
        for (keepalive, again) in [(None, false), (Some(25), true)] {
            let mut s = state(true);
            s.set_keepalive(keepalive);
            let t = Instant::now();
            kick(&mut s, t);
            s.tunn.reset();
            let later = t + Duration::from_secs(90);
            let message = s.expired(later);
            assert_eq!(message.is_some(), again);
            message.into_iter().for_each(|m| s.begin(m, later));
            assert_eq!(s.stale(later + MS), again);
        }
    }

    #[test]
    fn while_nothing_answers_all_addresses_are_called_and_another_is_first_each_time() {
        let mut s = state(false);
        s.configure(at(1), &[at(2), at(1)]);
        let t = Instant::now();
        kick(&mut s, t);
        assert_eq!(send(&mut s, t), [at(1)]);
        assert_eq!(s.deadline(), Some(t + 250 * MS));
        assert_eq!(send(&mut s, t + 250 * MS), [at(2)]);
        assert_eq!(s.deadline(), None);
        kick(&mut s, t + RETRY);
        assert_eq!(send(&mut s, t + RETRY), [at(2)]);
    }

    #[test]
    fn a_live_session_is_renewed_at_its_endpoint_alone() {
        let (mut s, _) = pair();
        let t = Instant::now();
        kick(&mut s, t);
        assert_eq!(send(&mut s, t), [at(1)]);
        assert_eq!(s.deadline(), None);
        assert_eq!(send(&mut s, t + RETRY), []);
    }

    #[test]
    fn a_copy_that_arrives_second_is_refused_by_the_peer() {
        let (mut a, mut b) = pair();
        a.rebound(Instant::now());
        let t = Instant::now();
        assert!(kick(&mut a, t));
        let copies: Vec<_> = std::iter::from_fn(|| a.next_initiation(t + RETRY)).map(|(packet, _)| packet).collect();
        let [first, second] = <[Packet; 2]>::try_from(copies).unwrap();
        let receive = |p: Packet, b: &mut PeerState| b.tunn.handle_incoming_packet(p.try_into_wg().unwrap());
        assert!(matches!(receive(first, &mut b), TunnResult::WriteToNetwork(WgKind::HandshakeResp(_))));
        assert!(matches!(receive(second, &mut b), TunnResult::Err(_)));
    }

    #[test]
    fn cookies_of_every_address_let_a_handshake_in() {
        // Each path has another source address, for which the peer under load has another cookie; the last one counts.
        let gateway = identity(2);
        let limiter = Limiter::new(&gateway.public);
        let mut s = state(false);
        s.configure(at(1), &[at(2), at(3)]);
        let source = |to: SocketAddr| SocketAddr::from(([10, 0, 0, to.ip().to_string().as_bytes()[8]], 9));
        let mut t = Instant::now();
        let knock = |s: &mut PeerState, t: Instant| {
            let copies: Vec<_> = std::iter::from_fn(|| s.next_initiation(t + RETRY)).collect();
            let mut passed = 0;
            for (packet, to) in copies {
                match limiter.verify(source(to), packet, t) {
                    Ok(_) => passed += 1,
                    Err(TunnResult::WriteToNetwork(cookie)) => drop(s.tunn.handle_incoming_packet(cookie)),
                    Err(e) => panic!("{e:?}"),
                }
            }
            passed
        };
        for _ in 0..FREE_PER_ADDRESS {
            t += KICK_AGAIN;
            assert!(kick(&mut s, t));
            assert_eq!(knock(&mut s, t), 3);
        }
        t += KICK_AGAIN;
        kick(&mut s, t);
        assert_eq!(knock(&mut s, t), 0);
        t += KICK_AGAIN;
        kick(&mut s, t);
        assert_eq!(knock(&mut s, t), 1);
    }

    #[test]
    fn on_another_network_the_session_goes_where_there_is_a_way() {
        let (mut s, mut other) = pair();
        let t = Instant::now();
        assert!(s.rebound(t).is_none());
        let (Some((_, to)), None) = s.greet(t) else { panic!() };
        assert_eq!(to, at(1));
        assert!(!s.went(Purpose::Knock, to, false, t));
        let (Some((knock, to)), None) = s.greet(t) else { panic!() };
        assert_eq!(to, at(2));
        assert!(s.went(Purpose::Knock, to, true, t));
        assert_eq!(s.endpoint(), Some(at(2)));
        let arrived = other.tunn.handle_incoming_packet(knock.try_into_wg().unwrap());
        assert!(matches!(arrived, TunnResult::WriteToTunnel(p) if p.is_empty()));
        // Configured anew, it stays there, since it works.
        s.configure(at(1), &[at(2)]);
        assert_eq!(s.endpoint(), Some(at(2)));
        s.configure(at(1), &[at(3)]);
        assert_eq!(s.endpoint(), Some(at(1)));
    }

    #[test]
    fn a_greeting_ends_in_a_handshake_unless_the_peer_is_heard() {
        for heard in [false, true] {
            let (mut s, _) = pair();
            let t = Instant::now();
            s.rebound(t);
            s.greet(t);
            if heard {
                s.heard(t);
            }
            assert_eq!(s.greet(t + RETRY).1.is_some(), !heard);
            assert_eq!(s.deadline(), None);
        }
    }

    #[test]
    fn a_keepalive_renews_an_old_session_if_we_have_begun_it() {
        let old = TimerParams { rekey_after_time: Duration::ZERO..=Duration::ZERO, ..TimerParams::default() };
        for (timers, renewed) in [(None, false), (Some(&old), true)] {
            let (mut a, mut b) = pair_with(timers);
            let keepalive =
                |s: &mut PeerState| WgKind::from(s.tunn.encapsulate_with_session(Packet::default()).unwrap());
            let data = Packet::copy_from(&[0x45; 20][..]);
            let data = WgKind::from(a.tunn.encapsulate_with_session(data).unwrap());
            assert!(a.renew(&data).is_none());
            let (ours, theirs) = (keepalive(&mut a), keepalive(&mut b));
            assert_eq!(a.renew(&ours).is_some(), renewed);
            assert!(b.renew(&theirs).is_none());
        }
    }

    #[test]
    fn without_a_way_to_the_endpoint_another_is_looked_for_once_a_second() {
        let (mut s, _) = pair();
        let t = Instant::now();
        assert!(s.lost_way(t));
        assert!(!s.lost_way(t));
        s.heard(t);
        assert!(!s.lost_way(t + SEARCH_AGAIN / 2));
        assert!(s.lost_way(t + SEARCH_AGAIN));
        assert!(!state(true).lost_way(t));
    }
}
