//! Who measures which path: carries `pmtu`'s probes through the tunnels, on wg-timer, and answers other engines' ones.
use crate::echo::{self, Echo};
use crate::events::{Event, Level};
use crate::key::{PublicKey, short};
use crate::peer::Peer;
use crate::pmtu::{Limits, Probe, Search};
use crate::shared::{Shared, View};
use crate::sys::errno;
use crate::udp::{Sender, Sockets, Wire};
use gotatun::packet::{Packet, WgKind};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Echoes that wait for wg-timer; more are lost, as on the wire.
const WAITING: usize = 256;
/// And of one peer, which must not keep others from being measured; a round of probes is far shorter.
const WAITING_EACH: usize = 32;
/// IP and UDP headers outside, and what WireGuard adds to data.
const OVERHEAD4: u16 = 20 + 8 + 32;
const OVERHEAD6: u16 = 40 + 8 + 32;
/// Nobody's limit is believed to be below.
const LEAST_LIMIT: u16 = 576;

/// How a peer's path is to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probing {
    /// Our own address inside the tunnel and one of the far end's, of the same family; the next pair is asked when one
    /// isn't answered.
    pub targets: Vec<(IpAddr, IpAddr)>,
    /// What the host's own link carries.
    pub ceiling: u16,
    /// From one try of more than was found to the next.
    pub raise: Duration,
}

impl Probing {
    /// RFC 8899 5.1.1, PMTU_RAISE_TIMER, but a tenth: a try costs as much as one small picture, and only with traffic.
    pub const RAISE: Duration = Duration::from_secs(60);
}

#[derive(Default)]
pub struct Paths {
    wanted: Mutex<HashMap<PublicKey, Path>>,
    heard: Mutex<Vec<Heard>>,
}

pub(crate) type Heard = (Arc<Peer>, Echo, Instant);

struct Path {
    probing: Probing,
    /// Where the peer was when the search began.
    search: Option<(SocketAddr, Search)>,
    told: Option<Told>,
}

/// What was said last; None inside: the far end answers nothing.
type Told = (bool, Option<u16>);

impl Paths {
    /// Measure the way to this peer from now on, or no longer.
    pub fn want(&self, key: PublicKey, probing: Option<Probing>) {
        let mut wanted = self.wanted.lock();
        match probing {
            None => drop(wanted.remove(&key)),
            Some(probing) if wanted.get(&key).is_some_and(|path| path.probing == probing) => {}
            Some(probing) => drop(wanted.insert(key, Path { probing, search: None, told: None })),
        }
    }

    /// Another network: what was found on the last one says nothing.
    pub fn reset(&self) {
        for path in self.wanted.lock().values_mut() {
            path.search = None;
        }
    }

    /// Whether a peer's packet is an echo of ours: then wg-timer takes care of it.
    pub fn hear(&self, shared: &Shared, peer: &Arc<Peer>, packet: &[u8]) -> bool {
        let Some(echo) = Echo::parse(packet) else { return false };
        let mut heard = self.heard.lock();
        if has_room(&heard, peer) {
            heard.push((Arc::clone(peer), echo, Instant::now()));
            shared.timer_wake.signal();
        }
        true
    }

    /// Does what is due. Gives when it wants to be called again at the latest.
    pub fn run(&self, shared: &Shared, view: &View, now: Instant) -> Option<Instant> {
        let heard = std::mem::take(&mut *self.heard.lock());
        let mut wanted = self.wanted.lock();
        if heard.is_empty() && wanted.is_empty() {
            return None;
        }
        let sockets = shared.sockets()?;
        let mut sender = Sender::of_wholes();
        for (peer, echo, at) in heard {
            if !echo.is_reply {
                answer(shared, &sockets, &mut sender, &peer, echo);
            } else if let Some((_, search)) = wanted.get_mut(&peer.key).and_then(|path| path.search.as_mut()) {
                search.answer(echo.token, at);
            }
        }
        let mut deadline: Option<Instant> = None;
        for (key, path) in wanted.iter_mut() {
            let Some(peer) = view.peers.get(key) else { continue };
            let next = path.run(shared, &sockets, &mut sender, peer, now);
            deadline = [deadline, next].into_iter().flatten().min();
        }
        deadline
    }
}

/// Whether another echo of this peer may wait.
pub(crate) fn has_room(heard: &[Heard], peer: &Arc<Peer>) -> bool {
    heard.len() < WAITING && heard.iter().filter(|(other, ..)| Arc::ptr_eq(other, peer)).count() < WAITING_EACH
}

impl Peer {
    /// How long padding may make a packet, where the device's MTU is `mtu`. `limit` is the longest packet inside the tunnel that
    /// the peer's path carries whole; 0: not known.
    pub fn padded_to(&self, mtu: u16) -> u16 {
        match self.limit.load(Relaxed) {
            0 => mtu,
            limit => mtu.min(limit),
        }
    }
}

impl Path {
    /// Gives when it wants to be called again at the latest; None: when there is a session, or traffic.
    fn run(
        &mut self,
        shared: &Shared,
        sockets: &Sockets,
        sender: &mut Sender,
        peer: &Arc<Peer>,
        now: Instant,
    ) -> Option<Instant> {
        let (endpoint, rtt) = {
            let state = peer.lock();
            let endpoint = state.endpoint().filter(|_| state.tunn.has_active_session())?;
            (endpoint, state.tunn.stats().4.map(|ms| Duration::from_millis(ms.into())))
        };
        let overhead = overhead(&endpoint);
        if self.search.as_ref().is_none_or(|(at, _)| at.ip() != endpoint.ip()) {
            let longest = self.probing.targets.iter().map(|(_, to)| echo::len(to)).max()?;
            let limits =
                Limits { control: overhead + longest as u16, ceiling: self.probing.ceiling, raise: self.probing.raise };
            // Unguessable enough: whoever is inside the tunnel only could guess, and is the one that is asked.
            let seed = RandomState::new().hash_one(peer.key);
            self.search = Some((endpoint, Search::new(limits, rtt, seed, now)));
        }
        let (_, search) = self.search.as_mut()?;
        let traffic = peer.tx_bytes.load(Relaxed) + peer.rx_bytes.load(Relaxed);
        let (from, to) = self.probing.targets[search.mutes() as usize % self.probing.targets.len()];
        let limit = search.found().map_or(0, |mtu| mtu.saturating_sub(overhead));
        for Probe { token, size } in search.poll(now, traffic) {
            let echo = Echo { from, to, is_reply: false, token, limit };
            let padded = usize::from(size - overhead);
            if send(shared, sockets, sender, peer, echo, padded) == Some(errno::EMSGSIZE) {
                search.refuse(token);
            }
        }
        let deadline = search.deadline();
        let is_new = self.tell(shared, peer, endpoint);
        keep_whole(shared, sockets, endpoint, peer.limit.load(Relaxed));
        if is_new {
            // At once, since the far end may be an engine that sends what doesn't pass any more.
            let limit = peer.limit.load(Relaxed);
            let report = Echo { from, to, is_reply: false, token: 0, limit };
            send(shared, sockets, sender, peer, report, echo::len(&to));
        }
        deadline
    }

    /// True when there was something new.
    fn tell(&mut self, shared: &Shared, peer: &Peer, endpoint: SocketAddr) -> bool {
        let Some((_, search)) = &self.search else { return false };
        let found = search.found();
        if found.is_none() && !search.is_mute() {
            return false;
        }
        let told = (endpoint.is_ipv6(), found);
        if self.told.replace(told) == Some(told) {
            return false;
        }
        peer.limit.store(found.map_or(0, |mtu| mtu.saturating_sub(overhead(&endpoint))), Relaxed);
        let text = found.map_or("not known, it answers no echo".to_owned(), |mtu| mtu.to_string());
        shared.events.log(Level::Info, format!("peer {}: path MTU {text}", short(&peer.key)));
        shared.events.push(Event::PathMtu { peer: peer.key, over6: endpoint.is_ipv6(), mtu: found });
        found.is_some()
    }
}

/// What is longer than the path carries whole goes in pieces, which arrive even where the hop doesn't cut. `limit` is as in
/// `Peer::padded_to`.
fn keep_whole(shared: &Shared, sockets: &Sockets, endpoint: SocketAddr, limit: u16) {
    let is_narrow = limit != 0 && limit < shared.mtu.load(Relaxed);
    sockets.set_path(endpoint, is_narrow.then_some(limit.saturating_add(overhead(&endpoint))));
}

fn answer(shared: &Shared, sockets: &Sockets, sender: &mut Sender, peer: &Arc<Peer>, request: Echo) {
    if request.limit >= LEAST_LIMIT {
        peer.limit.store(request.limit, Relaxed);
        if let Some(endpoint) = peer.lock().endpoint() {
            keep_whole(shared, sockets, endpoint, request.limit);
        }
    }
    send(shared, sockets, sender, peer, request.reply(), echo::len(&request.to));
}

/// Gives the errno if the kernel didn't take it.
fn send(
    shared: &Shared,
    sockets: &Sockets,
    sender: &mut Sender,
    peer: &Arc<Peer>,
    echo: Echo,
    padded: usize,
) -> Option<i32> {
    let mut plain = echo.to_bytes();
    plain.resize(padded, 0);
    let mut state = peer.lock();
    let endpoint = state.endpoint()?;
    let sealed = state.tunn.encapsulate_with_session(Packet::copy_from(plain.as_slice())).ok()?;
    drop(state);
    let batch = [(Wire::from(WgKind::from(sealed)), endpoint)];
    let whole = sockets.whole(&endpoint, || sender.send(sockets, &batch[..], None, &shared.counters, &shared.events));
    if whole.is_none() || !sender.is_clean() {
        return sender.errno(0);
    }
    peer.tx_bytes.fetch_add(batch[0].0.len() as u64, Relaxed);
    None
}

fn overhead(endpoint: &SocketAddr) -> u16 {
    if endpoint.is_ipv4() { OVERHEAD4 } else { OVERHEAD6 }
}
