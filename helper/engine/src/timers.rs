//! What happens by the clock: rekeying, keepalives, initiations to each address in turn, cookies' limits, the MTU.
use crate::agenda::{Agenda, Busy};
use crate::calls::Purpose;
use crate::events::{Event, Level};
use crate::key::{PublicKey, short};
use crate::limiter::Flood;
use crate::peer::{Peer, PeerState};
use crate::shared::{Shared, ToPeer, View};
use crate::udp::Wire;
use gotatun::noise::errors::WireGuardError;
use gotatun::packet::WgKind;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

pub struct Timers {
    /// The device's MTU can't be asked for any more: it then stays what it was.
    mtu_unknown: bool,
    began: Instant,
    /// The next look at what belongs to no peer.
    next: Instant,
    view: Option<Arc<View>>,
    agenda: Agenda,
    /// When a peer's clock was last looked at.
    looked: HashMap<PublicKey, Instant>,
}

impl Timers {
    /// gotatun wants its timers looked at this often while something is under way.
    const PERIOD: Duration = Duration::from_millis(250);
    /// And so often while there is a session and nothing else. All looks are at whole periods, and so at the same times.
    const CALM: Duration = Duration::from_secs(1);

    pub fn start() -> Self {
        let now = Instant::now();
        Self {
            mtu_unknown: false,
            began: now,
            next: now,
            view: None,
            agenda: Agenda::default(),
            looked: HashMap::new(),
        }
    }

    /// Does what is due. Gives when it wants to be called again at the latest.
    pub fn run(&mut self, shared: &Shared) -> Instant {
        let now = Instant::now();
        let view = shared.view();
        let changed = self.view.as_ref().is_none_or(|before| !Arc::ptr_eq(before, &view));
        if now >= self.next {
            self.next = self.whole(now, Self::CALM);
            self.tick(shared, &view, now);
        }
        if changed {
            // Whoever is new, or has another keepalive or endpoint.
            view.peers.keys().for_each(|key| self.agenda.plan(*key, now));
            self.looked.retain(|key, _| view.peers.contains_key(key));
            shared.index.purge(|peer| view.peers.get(&peer.key).is_some_and(|p| Arc::ptr_eq(p, peer)));
            self.view = Some(Arc::clone(&view));
        }
        for key in shared.wanted.take() {
            self.agenda.plan(key, now);
        }
        let mut datagrams = Vec::new();
        // Once each: what is due again at once comes after what there is to send.
        let keys: Vec<_> = std::iter::from_fn(|| self.agenda.due(now)).collect();
        for key in keys {
            let Some(peer) = view.peers.get(&key) else { continue };
            let looked = self.looked.get(&key).copied();
            // Half a period early counts: looks are at whole ones, and something else may have called before.
            let is_tick = looked.is_none_or(|then| now.saturating_duration_since(then) >= Self::PERIOD / 2);
            if is_tick {
                self.looked.insert(key, now);
            }
            let (busy, deadline) = due(shared, peer, now, is_tick, &mut datagrams);
            let look = match busy {
                Busy::Now => Some(self.whole(now, Self::PERIOD)),
                Busy::Calm => Some(self.whole(now, Self::CALM)),
                Busy::Until(time) => Some(self.whole(now + time, Self::CALM)),
                Busy::Asleep => None,
            };
            if let Some(at) = look.into_iter().chain(deadline).min() {
                self.agenda.plan(key, at);
            }
        }
        if datagrams.is_empty() {
            let measured = shared.paths.run(shared, &view, now).unwrap_or(self.next);
            return self.agenda.earliest().map_or(self.next, |at| at.min(self.next)).min(measured);
        }
        // What couldn't be sent may be due elsewhere at once.
        for datagram in &datagrams {
            self.agenda.plan(datagram.peer.key, now);
        }
        shared.send(datagrams);
        now
    }

    /// The first whole period after `time`.
    fn whole(&self, time: Instant, period: Duration) -> Instant {
        let periods = time.saturating_duration_since(self.began).as_nanos() / period.as_nanos() + 1;
        self.began + period * u32::try_from(periods).unwrap_or(u32::MAX)
    }

    fn tick(&mut self, shared: &Shared, view: &View, now: Instant) {
        if let Some(identity) = &view.identity {
            for Flood { from, proven, handshakes } in identity.limiter.tick(now) {
                shared.events.push(Event::Flooded { from, proven, handshakes });
            }
        }
        self.follow_mtu(shared);
    }

    fn follow_mtu(&mut self, shared: &Shared) {
        if self.mtu_unknown {
            return;
        }
        match shared.tun.mtu() {
            Ok(mtu) => {
                let before = shared.mtu.swap(mtu, Relaxed);
                if before != mtu {
                    shared.events.log(Level::Info, format!("tun: MTU {before} → {mtu}"));
                }
            }
            Err(e) => {
                // Deleted, or in a namespace that we may not enter. The sending thread notices the first.
                shared.events.log(Level::Warning, format!("tun: MTU unknown from now on: {e}"));
                self.mtu_unknown = true;
            }
        }
    }
}

/// What is due for one peer, added to `out`. Gives how soon to look again, and what is due at a time of its own.
fn due(
    shared: &Shared,
    peer: &Arc<Peer>,
    now: Instant,
    is_tick: bool,
    out: &mut Vec<ToPeer>,
) -> (Busy, Option<Instant>) {
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
    shared.index.tidy(peer);
    (state.busy(), state.deadline())
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
