//! What happens by the clock: rekeying, keepalives, cookies' limits, unanswered handshakes, the MTU.
use crate::events::{Event, Level};
use crate::key::short;
use crate::peer::Peer;
use crate::shared::{Shared, ToPeer, View};
use crate::tun::Link;
use gotatun::noise::errors::WireGuardError;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Instant, SystemTime};

pub struct Timers {
    /// None where interfaces can't be asked about; the MTU then stays what it was.
    link: Option<Link>,
    ticks: u32,
}

impl Timers {
    /// gotatun wants its timers looked at this often.
    pub const PERIOD_MS: i32 = 250;
    /// The MTU matters to padding only.
    const TICKS_A_LOOK: u32 = 4;

    pub fn new(shared: &Shared) -> Self {
        Self { link: Link::new(&shared.tun).ok(), ticks: 0 }
    }

    pub fn tick(&mut self, shared: &Shared) {
        let now = Instant::now();
        let view = shared.view();
        if let Some(identity) = &view.identity {
            identity.limiter.tick(now);
        }
        shared.index.purge(|peer| view.peers.get(&peer.key).is_some_and(|p| Arc::ptr_eq(p, peer)));
        let messages = due(shared, &view, now);
        shared.send(messages);
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

/// Messages that peers' timers ask for. Unanswered handshakes are reported on the way.
fn due(shared: &Shared, view: &View, now: Instant) -> Vec<ToPeer> {
    view.peers.values().filter_map(|peer| due_for(shared, peer, now)).collect()
}

fn due_for(shared: &Shared, peer: &Arc<Peer>, now: Instant) -> Option<ToPeer> {
    let mut state = peer.state.lock();
    let message = match state.tunn.update_timers() {
        Ok(message) => message,
        Err(WireGuardError::ConnectionExpired) => state.expired(now),
        Err(e) => {
            shared.events.log(Level::Error, format!("peer {}: timers: {e:?}", short(&peer.key)));
            None
        }
    };
    if let Some(endpoint) = state.roamed() {
        shared.events.push(Event::Roamed { peer: peer.key, endpoint });
    }
    if state.stale(now) {
        let age = state.last_handshake.map(|t| SystemTime::now().duration_since(t).unwrap_or_default());
        shared.events.push(Event::Stale { peer: peer.key, age });
    }
    let (message, to) = message.zip(state.endpoint())?;
    shared.leaves(&message, peer, to);
    state.sent(&message, now);
    Some(ToPeer { peer: Arc::clone(peer), message, to })
}
