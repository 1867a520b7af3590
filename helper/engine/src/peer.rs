//! One peer: its WireGuard state, where it is, what it has sent and got.
use crate::key::{PublicKey, Secret, short};
use crate::limiter::Limiter;
use crate::roaming::Roaming;
use gotatun::noise::index_table::IndexTable;
use gotatun::noise::{TimerParams, Tunn};
use gotatun::packet::WgKind;
use gotatun::x25519::StaticSecret;
use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

/// An unanswered handshake is reported after this time, and again each time it has passed anew.
pub const STALE_AFTER: Duration = Duration::from_secs(15);
/// A handshake asked for by the user is sent again at most this often.
const KICK_AGAIN: Duration = Duration::from_secs(1);

pub struct Peer {
    pub key: PublicKey,
    pub state: Mutex<PeerState>,
    /// UDP payload received and sent, handshakes included, as `wg show` counts it.
    pub rx_bytes: AtomicU64,
    pub tx_bytes: AtomicU64,
}

/// What a packet or a timer may change.
pub struct PeerState {
    pub tunn: Tunn,
    pub last_handshake: Option<SystemTime>,
    endpoint: Option<SocketAddr>,
    keepalive: Option<u16>,
    /// Index of a session that the peer asked for and has not used yet.
    unconfirmed: Option<u32>,
    attempt: Option<Attempt>,
    roaming: Roaming,
}

/// Our initiations since the last one that was answered.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    last_sent: Instant,
    /// The next time to report that nothing is answered.
    report_at: Instant,
}

/// Our own key pair, and the guard before the handshakes that name it.
pub struct Identity {
    pub private: StaticSecret,
    pub public: gotatun::x25519::PublicKey,
    pub limiter: Limiter,
}

impl Identity {
    pub fn new(private: &Secret) -> Self {
        let private = StaticSecret::from(private.0);
        let public = gotatun::x25519::PublicKey::from(&private);
        Self { limiter: Limiter::new(&public), private, public }
    }

    /// With a public key of low order, the zero key for one, the secret shared with that peer is known to everyone.
    pub fn refuse_weak(&self, key: &PublicKey) -> io::Result<()> {
        if self.private.diffie_hellman(&(*key).into()).was_contributory() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} cannot be anybody's public key", short(key))))
    }
}

impl Peer {
    pub fn new(key: PublicKey, state: PeerState) -> Arc<Self> {
        Arc::new(Self { key, state: Mutex::new(state), rx_bytes: AtomicU64::new(0), tx_bytes: AtomicU64::new(0) })
    }
}

impl PeerState {
    pub fn new(
        identity: &Identity,
        peer: &PublicKey,
        preshared: Option<&Secret>,
        index: IndexTable,
        timers: Option<&TimerParams>,
    ) -> Self {
        let (private, limiter) = (identity.private.clone(), identity.limiter.shared());
        let mut tunn = Tunn::new(private, (*peer).into(), preshared.map(|s| s.0), None, index, limiter);
        if let Some(params) = timers {
            tunn.dangerously_set_timer_params(params.clone());
        }
        let roaming = Roaming::default();
        Self { tunn, last_handshake: None, endpoint: None, keepalive: None, unconfirmed: None, attempt: None, roaming }
    }

    pub fn endpoint(&self) -> Option<SocketAddr> {
        self.endpoint
    }

    pub fn keepalive(&self) -> Option<u16> {
        self.keepalive
    }

    /// True when it is another one than before.
    pub fn set_endpoint(&mut self, endpoint: SocketAddr) -> bool {
        let before = self.endpoint.replace(endpoint);
        if before.is_none() {
            // Kept from gotatun until now: it would have tried handshakes that have nowhere to go.
            self.tunn.set_persistent_keepalive(self.keepalive);
        }
        before != Some(endpoint)
    }

    /// Authenticated packets come from there. True when that is to be told at once.
    pub fn roam(&mut self, from: SocketAddr) -> bool {
        if !self.set_endpoint(from) {
            return false;
        }
        self.roaming.moved()
    }

    /// For the timers: where the peer is, if that is still to be told.
    pub fn roamed(&mut self) -> Option<SocketAddr> {
        self.endpoint.filter(|_| self.roaming.look())
    }

    pub fn set_keepalive(&mut self, seconds: Option<u16>) {
        let seconds = seconds.filter(|s| *s > 0);
        if self.keepalive == seconds {
            return;
        }
        self.keepalive = seconds;
        if self.endpoint.is_some() {
            self.tunn.set_persistent_keepalive(seconds);
        }
    }

    /// Move to another identity or a renewed session state, keeping what isn't secret.
    pub fn adopt(&mut self, old: &PeerState) {
        self.last_handshake = old.last_handshake;
        self.set_keepalive(old.keepalive);
        if let Some(endpoint) = old.endpoint {
            self.set_endpoint(endpoint);
        }
    }

    /// An initiation to send at once, unless one has just been sent or there is no endpoint.
    pub fn kick(&mut self, now: Instant) -> Option<(WgKind, SocketAddr)> {
        let endpoint = self.endpoint?;
        if self.attempt.is_some_and(|a| now.saturating_duration_since(a.last_sent) < KICK_AGAIN) {
            return None;
        }
        let message = WgKind::from(self.tunn.format_handshake_initiation(true)?);
        self.sent(&message, now);
        Some((message, endpoint))
    }

    /// Note a message that is about to be sent.
    pub fn sent(&mut self, message: &WgKind, now: Instant) {
        match message {
            WgKind::HandshakeInit(_) => {
                let report_at = self.attempt.map_or(now + STALE_AFTER, |a| a.report_at);
                self.attempt = Some(Attempt { last_sent: now, report_at });
            }
            WgKind::HandshakeResp(m) => self.unconfirmed = Some(m.sender_idx.get()),
            WgKind::CookieReply(_) | WgKind::Data(_) => {}
        }
    }

    /// A data message came for our session `index`. True when it is the first of a session that the peer asked for.
    pub fn confirmed(&mut self, index: u32) -> bool {
        if self.unconfirmed != Some(index) {
            return false;
        }
        self.unconfirmed = None;
        true
    }

    /// A session is agreed, whoever asked for it.
    pub fn completed(&mut self, now: SystemTime) {
        self.attempt = None;
        self.last_handshake = Some(now);
    }

    /// gotatun has given up after 90 s of attempts. With a keepalive we go on for ever, as Linux does.
    pub fn expired(&mut self, now: Instant) -> Option<WgKind> {
        let Some(attempt) = self.attempt else {
            return self.retry(now);
        };
        if now.saturating_duration_since(attempt.last_sent) < Duration::from_secs(5) {
            return None;
        }
        if self.keepalive.is_none() {
            self.attempt = None;
        }
        self.retry(now)
    }

    fn retry(&mut self, now: Instant) -> Option<WgKind> {
        self.keepalive?;
        self.endpoint?;
        let message = WgKind::from(self.tunn.format_handshake_initiation(false)?);
        self.sent(&message, now);
        Some(message)
    }

    /// Whether it is time to say that the peer doesn't answer.
    pub fn stale(&mut self, now: Instant) -> bool {
        match &mut self.attempt {
            Some(attempt) if now >= attempt.report_at => {
                attempt.report_at = now + STALE_AFTER;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn identity(n: u8) -> Identity {
        Identity::new(&Secret([n; 32]))
    }

    fn state(endpoint: bool) -> PeerState {
        let other = identity(2);
        let mut s = PeerState::new(&identity(1), other.public.as_bytes(), None, IndexTable::from_os_rng(), None);
        if endpoint {
            s.set_endpoint("192.0.2.1:51820".parse().unwrap());
        }
        s
    }

    #[test]
    fn unanswered_handshakes_are_reported_every_15_s() {
        let mut s = state(true);
        let t = Instant::now();
        assert!(!s.stale(t + STALE_AFTER));
        assert!(matches!(s.kick(t), Some((WgKind::HandshakeInit(_), _))));
        assert!(!s.stale(t + STALE_AFTER - Duration::from_millis(1)));
        assert!(s.kick(t + Duration::from_secs(5)).is_some());
        assert!(s.stale(t + STALE_AFTER));
        assert!(!s.stale(t + STALE_AFTER));
        assert!(s.stale(t + 2 * STALE_AFTER));
        s.completed(SystemTime::now());
        assert!(!s.stale(t + 9 * STALE_AFTER));
    }

    #[test]
    fn a_kick_needs_an_endpoint_and_a_pause() {
        assert!(state(false).kick(Instant::now()).is_none());
        let mut s = state(true);
        let t = Instant::now();
        assert!(s.kick(t).is_some());
        assert!(s.kick(t + KICK_AGAIN / 2).is_none());
        assert!(s.kick(t + KICK_AGAIN).is_some());
    }

    #[test]
    fn keepalive_waits_for_an_endpoint() {
        let mut s = state(false);
        s.set_keepalive(Some(25));
        assert_eq!(s.tunn.persistent_keepalive(), None);
        s.set_endpoint("192.0.2.1:51820".parse().unwrap());
        assert_eq!(s.tunn.persistent_keepalive(), Some(25));
        s.set_keepalive(Some(0));
        assert_eq!((s.keepalive(), s.tunn.persistent_keepalive()), (None, None));
    }

    #[test]
    fn only_keepalive_makes_attempts_go_on_after_the_end() {
        for (keepalive, again) in [(None, false), (Some(25), true)] {
            let mut s = state(true);
            s.set_keepalive(keepalive);
            let t = Instant::now();
            s.kick(t);
            s.tunn.reset();
            assert_eq!(s.expired(t + Duration::from_secs(90)).is_some(), again);
            assert_eq!(s.stale(t + Duration::from_secs(91)), again);
        }
    }

    #[test]
    fn a_session_that_the_peer_asked_for_counts_when_it_is_used() {
        let (mine, theirs) = (identity(1), identity(2));
        let table = IndexTable::from_os_rng;
        let mut a = PeerState::new(&mine, theirs.public.as_bytes(), None, table(), None);
        let mut b = PeerState::new(&theirs, mine.public.as_bytes(), None, table(), None);
        a.set_endpoint("192.0.2.1:1".parse().unwrap());
        let (init, _) = a.kick(Instant::now()).unwrap();
        let gotatun::noise::TunnResult::WriteToNetwork(answer) = b.tunn.handle_incoming_packet(init) else { panic!() };
        b.sent(&answer, Instant::now());
        let WgKind::HandshakeResp(m) = &answer else { panic!() };
        let index = m.sender_idx.get();
        assert!(!b.confirmed(index.wrapping_add(1)));
        assert!(b.confirmed(index));
        assert!(!b.confirmed(index));
    }
}
