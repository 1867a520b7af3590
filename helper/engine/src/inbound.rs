//! From the peers to the TUN, in parts that don't know which thread runs them: receive, verify, settle, answer, deliver.
mod handshakes;

use crate::arrived::{Arrived, Taken};
use crate::counters::add;
use crate::events::Event;
use crate::key::PublicKey;
use crate::offload::ip_len;
use crate::outbound::source;
use crate::peer::Peer;
use crate::shared::{Shared, View, count_sent};
use crate::tun::Writer;
use crate::udp::{Outgoing, Sender, Sockets};
use gotatun::noise::activity::Activity;
use gotatun::packet::Packet;
use gotatun::tun::MtuWatcher;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Instant;

/// Sessions that are known to be in order; with more the memory of all is begun anew.
const REMEMBERED: usize = 4096;

/// What takes datagrams in their order.
pub struct Inbound {
    /// To peers, and whom each is for.
    answers: Vec<Outgoing>,
    answered: Vec<Arc<Peer>>,
    cookies: Vec<Outgoing>,
    /// Where authenticated messages came from.
    proven: Vec<SocketAddr>,
    /// By index: a session that was used before, from where, and the peer's version then. Its messages need no lock.
    settled: HashMap<u32, Settled>,
    /// The last source address that was found to be its peer's own.
    known: Option<(PublicKey, IpAddr)>,
    /// The one that the last batch came under.
    view: Weak<View>,
    sender: Sender,
    writer: Writer,
}

struct Settled {
    from: SocketAddr,
    version: u64,
    activity: Arc<Activity>,
}

/// Accepted messages of one session and source that follow each other.
struct Run {
    session: usize,
    from: SocketAddr,
    bytes: usize,
    data: bool,
}

impl Inbound {
    pub fn new(shared: &Shared) -> Self {
        Self {
            answers: Vec::new(),
            answered: Vec::new(),
            cookies: Vec::new(),
            proven: Vec::new(),
            settled: HashMap::new(),
            known: None,
            view: Weak::new(),
            sender: Sender::default(),
            writer: Writer::new(&shared.tun),
        }
    }

    /// Decides about a verified batch, in order: messages to answer, packets to deliver.
    pub fn settle(&mut self, shared: &Shared, view: &Arc<View>, batch: &mut Arrived) {
        if self.view.as_ptr() != Arc::as_ptr(view) {
            // Forget what an older view has said.
            self.view = Arc::downgrade(view);
            self.settled.clear();
            self.known = None;
        }
        let Some(identity) = &view.identity else {
            add(&shared.counters.rx_invalid, batch.count());
            batch.clear();
            return;
        };
        let now = Instant::now();
        let mut run: Option<Run> = None;
        for i in 0..batch.count() {
            let (from, bytes) = (batch.from(i), batch.len_of(i));
            match batch.take(i) {
                Taken::Accepted(session) => {
                    match &mut run {
                        Some(run) if run.session == session && run.from == from => run.bytes += bytes,
                        _ => self.note(shared, batch, run.replace(Run { session, from, bytes, data: false })),
                    }
                    let run = run.as_mut().expect("it has just been set");
                    run.data |= !batch.content(i).is_empty();
                    let peer = &batch.session(session).peer;
                    let limit = peer.limit.load(Relaxed);
                    let keep = self.accept(shared, view, peer, batch.content(i));
                    batch.truncate(i, keep);
                    batch.clamp_mss(i, limit);
                }
                Taken::Control(message) => {
                    let message = Packet::copy_from(message);
                    self.note(shared, batch, run.take());
                    self.control(shared, view, identity, message, from, now);
                }
                Taken::Stranger => add(&shared.counters.rx_invalid, 1),
                Taken::Refused(session, error) => {
                    add(&shared.counters.rx_invalid, 1);
                    shared.talk.refused(&shared.events, &batch.session(session).peer.key, &error, now);
                }
            }
        }
        self.note(shared, batch, run);
    }

    /// Sends the answers, without waiting: full sockets must not hold up what comes in.
    pub fn answer(&mut self, shared: &Shared, sockets: &Sockets, batch: &Arrived) {
        for from in self.proven.drain(..) {
            if let Some(arrival) = batch.arrival(&from) {
                sockets.called(from, arrival, Instant::now());
            }
        }
        for messages in [&self.cookies, &self.answers] {
            if !messages.is_empty() {
                self.sender.send(sockets, &messages[..], None, &shared.counters, &shared.events);
            }
        }
        count_sent(&self.sender, &self.answered, &self.answers);
        self.cookies.clear();
        self.answers.clear();
        self.answered.clear();
    }

    /// Writes the packets to the TUN.
    pub fn deliver(&mut self, shared: &Shared, batch: &mut Arrived) {
        let opened = batch.opened();
        if !opened.is_empty() {
            self.writer.write(&shared.tun, opened, &shared.counters, &shared.events);
        }
    }

    /// What accepted messages say of their peer: it is there, it is where they came from, and it uses this session.
    fn note(&mut self, shared: &Shared, batch: &Arrived, run: Option<Run>) {
        let Some(Run { session, from, bytes, data }) = run else { return };
        let session = batch.session(session);
        let peer = &session.peer;
        add(&peer.rx_bytes, bytes);
        self.proven(from);
        if let Some(known) = self.settled.get(&session.index)
            && known.from == from
            && known.version == peer.version()
        {
            return known.activity.opened(known.activity.now(), data);
        }
        let mut state = peer.lock();
        let activity = Arc::clone(state.tunn.activity());
        activity.opened(activity.now(), data);
        state.tunn.used(session.index);
        if state.confirmed(session.index) {
            let mut mtu = MtuWatcher::new(shared.mtu.load(Relaxed));
            self.complete(shared, peer, &mut state, None, from, &mut mtu);
        }
        state.heard(Instant::now());
        if state.roam(from) {
            shared.events.push(Event::Roamed { peer: peer.key, endpoint: from });
        }
        drop(state);
        shared.look(peer);
        if self.settled.len() >= REMEMBERED {
            self.settled.clear();
        }
        if let Some(version) = peer.version_at(from) {
            self.settled.insert(session.index, Settled { from, version, activity });
        }
    }

    fn proven(&mut self, from: SocketAddr) {
        if self.proven.last() != Some(&from) {
            self.proven.push(from);
        }
    }

    /// How much of a packet is to be delivered: nothing, unless its source belongs to the peer that sent it.
    fn accept(&mut self, shared: &Shared, view: &View, peer: &Arc<Peer>, packet: &[u8]) -> usize {
        if packet.is_empty() {
            return 0;
        }
        let Some((len, from)) = ip_len(packet).zip(source(packet)) else {
            add(&shared.counters.rx_invalid, 1);
            return 0;
        };
        if self.known != Some((peer.key, from)) {
            if !view.routes.find(from).is_some_and(|owner| Arc::ptr_eq(owner, peer)) {
                add(&shared.counters.rx_foreign_source, 1);
                return 0;
            }
            self.known = Some((peer.key, from));
        }
        if shared.paths.hear(shared, peer, &packet[..len]) { 0 } else { len }
    }
}
