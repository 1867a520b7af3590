//! What happens by the clock: rekeying, keepalives, initiations to each address in turn, cookies' limits, the MTU.
use crate::calls::Purpose;
use crate::events::{Event, Level};
use crate::key::short;
use crate::limiter::Flood;
use crate::peer::{Peer, PeerState};
use crate::shared::{Shared, ToPeer, View};
use crate::tun::Link;
use crate::udp::Wire;
use gotatun::noise::errors::WireGuardError;
use gotatun::packet::WgKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

pub struct Timers {
    /// None where interfaces can't be asked about; the MTU then stays what it was.
    link: Option<Link>,
    ticks: u32,
    next: Instant,
}

impl Timers {
    /// gotatun wants its timers looked at this often.
    const PERIOD: Duration = Duration::from_millis(250);
    /// The MTU matters to padding only.
    const TICKS_A_LOOK: u32 = 4;

    pub fn new(shared: &Shared) -> Self {
        Self { link: Link::new(&shared.tun).ok(), ticks: 0, next: Instant::now() }
    }

    /// Does what is due. Gives when it wants to be called again at the latest.
    pub fn run(&mut self, shared: &Shared) -> Instant {
        let now = Instant::now();
        let view = shared.view();
        let is_tick = now >= self.next;
        if is_tick {
            self.next = now + Self::PERIOD;
            self.tick(shared, &view, now);
        }
        let mut datagrams = Vec::new();
        for peer in view.peers.values() {
            due(shared, peer, now, is_tick, &mut datagrams);
        }
        if datagrams.is_empty() {
            return view.peers.values().filter_map(|peer| peer.lock().deadline()).fold(self.next, Instant::min);
        }
        // What couldn't be sent may be due elsewhere at once.
        shared.send(datagrams);
        now
    }

    fn tick(&mut self, shared: &Shared, view: &View, now: Instant) {
        if let Some(identity) = &view.identity {
            for Flood { from, proven, handshakes } in identity.limiter.tick(now) {
                shared.events.push(Event::Flooded { from, proven, handshakes });
            }
        }
        shared.index.purge(|peer| view.peers.get(&peer.key).is_some_and(|p| Arc::ptr_eq(p, peer)));
        if self.ticks.is_multiple_of(Self::TICKS_A_LOOK) {
            self.follow_mtu(shared);
        }
        self.ticks = self.ticks.wrapping_add(1);
    }

    fn follow_mtu(&mut self, shared: &Shared) {
        let Some(link) = &mut self.link else { return };
        match link.mtu(&shared.tun) {
            Ok(mtu) => {
                let before = shared.mtu.swap(mtu, Relaxed);
                if before != mtu {
                    shared.events.log(Level::Info, format!("tun: MTU {before} → {mtu}"));
                }
            }
            Err(e) => {
                // Deleted, or in a namespace that we may not enter. The sending thread notices the first.
                shared.events.log(Level::Warning, format!("tun: MTU unknown from now on: {e}"));
                self.link = None;
            }
        }
    }
}

/// What is due for one peer, added to `out`.
fn due(shared: &Shared, peer: &Arc<Peer>, now: Instant, is_tick: bool, out: &mut Vec<ToPeer>) {
    let mut state = peer.lock();
    let mut add = |packet, to, purpose| out.push(ToPeer { peer: Arc::clone(peer), packet, to, purpose });
    if is_tick {
        look_at_clock(shared, peer, &mut state, now, &mut add);
    }
    let (knock, handshake) = state.greet(now);
    if let Some((packet, to)) = knock {
        add(packet, to, Purpose::Knock);
    }
    if let Some(message) = handshake {
        shared.begin(peer, &mut state, message, now);
    }
    while let Some((packet, to)) = state.next_initiation(now) {
        shared.talk.initiates(&shared.events, &peer.key, to);
        add(packet, to, Purpose::Initiation);
    }
}

/// What the protocol's timers ask for, and what there is to tell.
fn look_at_clock(
    shared: &Shared,
    peer: &Arc<Peer>,
    state: &mut PeerState,
    now: Instant,
    add: &mut impl FnMut(Wire, SocketAddr, Purpose),
) {
    let message = match state.tunn.update_timers() {
        Ok(message) => message,
        Err(WireGuardError::ConnectionExpired) => state.expired(now).map(WgKind::from),
        Err(e) => {
            shared.events.log(Level::Error, format!("peer {}: timers: {e:?}", short(&peer.key)));
            None
        }
    };
    match message {
        Some(WgKind::HandshakeInit(message)) => shared.begin(peer, state, message, now),
        Some(message) => {
            if let Some(initiation) = state.renew(&message) {
                shared.begin(peer, state, initiation, now);
            }
            if let Some(endpoint) = state.endpoint() {
                add(message.into(), endpoint, Purpose::Other);
            }
        }
        None => {}
    }
    if let Some(message) = state.probe(now) {
        shared.begin(peer, state, message, now);
    }
    if let Some(endpoint) = state.roamed() {
        shared.events.push(Event::Roamed { peer: peer.key, endpoint });
    }
    if state.stale(now) {
        let age = state.last_handshake.map(|t| SystemTime::now().duration_since(t).unwrap_or_default());
        shared.events.push(Event::Stale { peer: peer.key, age });
    }
}
