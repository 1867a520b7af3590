//! One peer: its WireGuard state, where it is, what it has sent and got. When it is called, and where: `calls.rs`.
use crate::calls::Calls;
pub use crate::identity::Identity;
use crate::key::{PublicKey, Secret};
use crate::preshared::Keys;
use crate::race::order;
use crate::roaming::Roaming;
use gotatun::noise::activity::Activity;
use gotatun::noise::index_table::IndexTable;
use gotatun::noise::transport::{Claim, Transport};
use gotatun::noise::{TimerParams, Tunn};
use parking_lot::{Mutex, MutexGuard};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Instant, SystemTime};

pub struct Peer {
    pub key: PublicKey,
    state: Mutex<PeerState>,
    /// What of the state sending needs. The sender alone takes this lock while nothing changes.
    way: Mutex<Way>,
    /// Another one each time that `way` changes; of all peers none is like another.
    version: AtomicU64,
    /// What of the map of indices is this peer's.
    pub indices: Mutex<Vec<u32>>,
    /// UDP payload received and sent, handshakes included, as `wg show` counts it.
    pub rx_bytes: AtomicU64,
    pub tx_bytes: AtomicU64,
    pub limit: AtomicU16,
}

/// With what and where to a peer's data is sent.
struct Way {
    transport: Option<Arc<Transport>>,
    endpoint: Option<SocketAddr>,
    activity: Arc<Activity>,
}

/// A peer's state, for as long as it is held. What sending needs of it is put in force at the end.
pub struct Locked<'a> {
    peer: &'a Peer,
    state: MutexGuard<'a, PeerState>,
}

/// What a packet or a timer may change.
pub struct PeerState {
    pub tunn: Tunn,
    pub last_handshake: Option<SystemTime>,
    pub(crate) calls: Calls,
    endpoint: Option<SocketAddr>,
    /// Where the configuration says that it may be, the best first; empty for a peer that comes to us.
    addresses: Vec<SocketAddr>,
    keepalive: Option<u16>,
    pub(crate) keys: Keys,
    roaming: Roaming,
}

impl Peer {
    pub fn new(key: PublicKey, state: PeerState) -> Arc<Self> {
        let way = Way { transport: None, endpoint: None, activity: Arc::clone(state.tunn.activity()) };
        let peer = Self {
            key,
            state: Mutex::new(state),
            way: Mutex::new(way),
            version: AtomicU64::new(0),
            indices: Mutex::default(),
            rx_bytes: AtomicU64::new(0),
            tx_bytes: AtomicU64::new(0),
            limit: AtomicU16::new(0),
        };
        drop(peer.lock());
        Arc::new(peer)
    }

    /// The state, with note taken of what has been sent and received without it.
    pub fn lock(&self) -> Locked<'_> {
        let mut state = self.state.lock();
        state.listen(Instant::now());
        Locked { peer: self, state }
    }

    /// Counters for `count` packets and where these go; none without a session or an endpoint.
    pub fn claim(&self, count: usize) -> Option<(Claim, SocketAddr)> {
        let way = self.way.lock();
        let endpoint = way.endpoint?;
        let claim = way.transport.as_ref()?.claim(count)?;
        way.activity.sent(way.activity.now(), true);
        Some((claim, endpoint))
    }

    /// The version, if this is the endpoint.
    pub fn version_at(&self, endpoint: SocketAddr) -> Option<u64> {
        let way = self.way.lock();
        (way.endpoint == Some(endpoint)).then(|| self.version())
    }

    /// Which state of session and endpoint is in force.
    pub fn version(&self) -> u64 {
        self.version.load(SeqCst)
    }
}

impl Deref for Locked<'_> {
    type Target = PeerState;

    fn deref(&self) -> &PeerState {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut PeerState {
        &mut self.state
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        static VERSION: AtomicU64 = AtomicU64::new(1);
        let (transport, endpoint) = (self.state.tunn.transport(), self.state.endpoint);
        let mut way = self.peer.way.lock();
        let same = transport.map(Arc::as_ptr) == way.transport.as_ref().map(Arc::as_ptr);
        let activity = self.state.tunn.activity();
        if same && way.endpoint == endpoint && Arc::ptr_eq(&way.activity, activity) {
            return;
        }
        *way = Way { transport: transport.cloned(), endpoint, activity: Arc::clone(activity) };
        self.peer.version.store(VERSION.fetch_add(1, Relaxed), SeqCst);
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
        let (pair, limiter) = ((identity.private.clone(), identity.public), identity.limiter.shared());
        let mut tunn = Tunn::of_pair(pair, (*peer).into(), preshared.map(|s| s.0), None, index, limiter);
        tunn.share_room(Arc::clone(&identity.room));
        if let Some(params) = timers {
            tunn.dangerously_set_timer_params(params.clone());
        }
        Self {
            tunn,
            last_handshake: None,
            calls: Calls::default(),
            endpoint: None,
            addresses: Vec::new(),
            keepalive: None,
            keys: Keys::configured(preshared.cloned()),
            roaming: Roaming::default(),
        }
    }

    pub fn endpoint(&self) -> Option<SocketAddr> {
        self.endpoint
    }

    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where the peer may be. A session that works stays where it is if that is one of these addresses.
    pub fn configure(&mut self, endpoint: SocketAddr, alternatives: &[SocketAddr]) {
        self.addresses = order(endpoint, alternatives, 0);
        let stays = !alternatives.is_empty() && self.tunn.has_active_session() && !self.calls.are_repeated();
        if !(stays && self.endpoint.is_some_and(|now| self.addresses.contains(&now))) {
            self.set_endpoint(endpoint);
        }
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
        self.set_preshared(old.keys.all().to_vec());
        self.set_keepalive(old.keepalive);
        self.addresses.clone_from(&old.addresses);
        if let Some(endpoint) = old.endpoint {
            self.set_endpoint(endpoint);
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use gotatun::noise::TunnResult;
    use gotatun::packet::WgKind;

    pub fn identity(n: u8) -> Identity {
        Identity::new(&Secret([n; 32]))
    }

    pub fn state(endpoint: bool) -> PeerState {
        let other = identity(2);
        let mut s = PeerState::new(&identity(1), other.public.as_bytes(), None, IndexTable::from_os_rng(), None);
        if endpoint {
            s.configure("192.0.2.1:51820".parse().unwrap(), &[]);
        }
        s
    }

    /// Two ends with a session that the first has asked for and the second has seen used.
    pub fn pair() -> (PeerState, PeerState) {
        let (mine, theirs) = (identity(1), identity(2));
        let table = IndexTable::from_os_rng;
        let mut a = PeerState::new(&mine, theirs.public.as_bytes(), None, table(), None);
        let mut b = PeerState::new(&theirs, mine.public.as_bytes(), None, table(), None);
        a.set_endpoint("192.0.2.1:1".parse().unwrap());
        let init = a.kick(Instant::now()).unwrap().into();
        let TunnResult::WriteToNetwork(answer) = b.receive(init, Instant::now()) else { panic!() };
        let TunnResult::WriteToNetwork(first) = a.receive(answer, Instant::now()) else { panic!() };
        assert!(matches!(b.receive(first, Instant::now()), TunnResult::WriteToTunnel(_)));
        (a, b)
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
    fn a_session_that_the_peer_asked_for_counts_when_it_is_used() {
        let (mine, theirs) = (identity(1), identity(2));
        let table = IndexTable::from_os_rng;
        let mut a = PeerState::new(&mine, theirs.public.as_bytes(), None, table(), None);
        let mut b = PeerState::new(&theirs, mine.public.as_bytes(), None, table(), None);
        a.set_endpoint("192.0.2.1:1".parse().unwrap());
        let init = a.kick(Instant::now()).unwrap().into();
        let TunnResult::WriteToNetwork(WgKind::HandshakeResp(m)) = b.receive(init, Instant::now()) else { panic!() };
        let index = m.sender_idx.get();
        assert!(!b.confirmed(index.wrapping_add(1)));
        assert!(b.confirmed(index));
        assert!(!b.confirmed(index));
    }
}
