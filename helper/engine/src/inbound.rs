//! From the peers to the TUN, in parts that don't know which thread runs them: receive, decrypt, answer, deliver.
use crate::counters::add;
use crate::events::Event;
use crate::key::PublicKey;
use crate::offload::ip_len;
use crate::outbound::source;
use crate::peer::{Identity, Peer, PeerState};
use crate::shared::{Shared, View, count_sent};
use crate::tun::Writer;
use crate::udp::{Outgoing, Receiver, Sender, Socket, Sockets};
use gotatun::noise::TunnResult;
use gotatun::noise::handshake::parse_handshake_anon;
use gotatun::packet::{Packet, WgKind};
use gotatun::tun::MtuWatcher;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

/// A batch on its way, and the buffers that batches share.
pub struct Inbound {
    receiver: Receiver,
    wire: Vec<(Packet, SocketAddr)>,
    /// To peers, and whom each is for.
    answers: Vec<Outgoing>,
    answered: Vec<Arc<Peer>>,
    cookies: Vec<Outgoing>,
    /// Where authenticated messages came from.
    proven: Vec<SocketAddr>,
    plain: Vec<Packet>,
    /// The session that the last data message belonged to; most batches have one only.
    last: Option<(u32, Arc<Peer>)>,
    /// The last source address that was found to be its peer's own.
    known: Option<(PublicKey, IpAddr)>,
    sender: Sender,
    writer: Writer,
}

impl Inbound {
    pub fn new(shared: &Shared) -> Self {
        Self {
            receiver: Receiver::default(),
            wire: Vec::new(),
            answers: Vec::new(),
            answered: Vec::new(),
            cookies: Vec::new(),
            proven: Vec::new(),
            plain: Vec::new(),
            last: None,
            known: None,
            sender: Sender::default(),
            writer: Writer::new(&shared.tun),
        }
    }

    /// Forget what an older view has said.
    pub fn refresh(&mut self) {
        self.last = None;
        self.known = None;
    }

    /// Takes what one socket has. EAGAIN when there is nothing.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<()> {
        self.wire.clear();
        self.receiver.receive(socket, &mut self.wire)
    }

    /// Decrypts the batch into packets to deliver and messages to answer.
    pub fn decrypt(&mut self, shared: &Shared, view: &View) {
        let Some(identity) = &view.identity else {
            add(&shared.counters.rx_invalid, self.wire.len());
            self.wire.clear();
            return;
        };
        let mut mtu = MtuWatcher::new(shared.mtu.load(Relaxed));
        let now = Instant::now();
        let mut wire = std::mem::take(&mut self.wire);
        for (packet, from) in wire.drain(..) {
            let len = packet.len();
            let message = match identity.limiter.verify(from, packet, now) {
                Ok(message) => message,
                Err(TunnResult::WriteToNetwork(cookie)) => {
                    add(&shared.counters.cookies_sent, 1);
                    self.cookies.push((cookie.into(), from));
                    continue;
                }
                Err(_) => {
                    add(&shared.counters.rx_invalid, 1);
                    continue;
                }
            };
            let Some(peer) = self.peer_of(&message, identity, shared, view) else {
                add(&shared.counters.rx_invalid, 1);
                continue;
            };
            self.handle(shared, view, &peer, message, (from, len, now), &mut mtu);
        }
        self.wire = wire;
    }

    /// Sends the answers, without waiting: full sockets must not hold up what comes in.
    pub fn answer(&mut self, shared: &Shared, sockets: &Sockets) {
        for from in self.proven.drain(..) {
            if let Some(arrival) = self.receiver.arrival(&from) {
                sockets.called(from, arrival, Instant::now());
            }
        }
        for batch in [&self.cookies, &self.answers] {
            if !batch.is_empty() {
                self.sender.send(sockets, batch, None, &shared.counters, &shared.events);
            }
        }
        count_sent(&self.sender, &self.answered, &self.answers);
        self.cookies.clear();
        self.answers.clear();
        self.answered.clear();
    }

    /// Writes the packets to the TUN.
    pub fn deliver(&mut self, shared: &Shared) {
        if !self.plain.is_empty() {
            self.writer.write(&shared.tun, &mut self.plain, &shared.counters, &shared.events);
            self.plain.clear();
        }
    }

    fn peer_of(&mut self, message: &WgKind, identity: &Identity, shared: &Shared, view: &View) -> Option<Arc<Peer>> {
        let index = match message {
            WgKind::HandshakeInit(m) => {
                let half = parse_handshake_anon(&identity.private, &identity.public, m).ok()?;
                return view.peers.get(&half.peer_static_public).cloned();
            }
            WgKind::HandshakeResp(m) => m.receiver_idx.get(),
            WgKind::CookieReply(m) => m.receiver_idx.get(),
            WgKind::Data(m) => m.header.receiver_idx.get(),
        };
        if let Some((last, peer)) = &self.last
            && *last == index
        {
            return Some(Arc::clone(peer));
        }
        let peer = shared.index.find(index)?;
        self.last = Some((index, Arc::clone(&peer)));
        Some(peer)
    }

    fn handle(
        &mut self,
        shared: &Shared,
        view: &View,
        peer: &Arc<Peer>,
        message: WgKind,
        (from, len, now): (SocketAddr, usize, Instant),
        mtu: &mut MtuWatcher,
    ) {
        let index = if let WgKind::Data(m) = &message { Some(m.header.receiver_idx.get()) } else { None };
        let mut state = peer.state.lock();
        match state.receive(message, now) {
            TunnResult::WriteToNetwork(answer) => {
                let unused = state.unused_answers();
                if unused > 0 && matches!(answer, WgKind::HandshakeResp(_)) {
                    shared.events.push(Event::Unused { peer: peer.key, answers: unused });
                }
                // A response is answered by data: then the session is ours to use.
                let initiator = matches!(answer, WgKind::Data(_));
                self.queue(shared, peer, &mut state, answer, from);
                if initiator {
                    let rtt = state.tunn.stats().4.map(|ms| Duration::from_millis(ms.into()));
                    self.complete(shared, peer, &mut state, rtt, from, mtu);
                }
            }
            TunnResult::WriteToTunnel(packet) => {
                if index.is_some_and(|i| state.confirmed(i)) {
                    self.complete(shared, peer, &mut state, None, from, mtu);
                }
                self.accept(shared, view, peer, packet);
            }
            TunnResult::Done => {
                // A cookie: it carries a proof about us, none about where the peer is.
                add(&peer.rx_bytes, len);
                return;
            }
            TunnResult::Err(error) => {
                add(&shared.counters.rx_invalid, 1);
                shared.talk.refused(&shared.events, &peer.key, &error, now);
                return;
            }
        }
        add(&peer.rx_bytes, len);
        state.heard(now);
        if self.proven.last() != Some(&from) {
            self.proven.push(from);
        }
        if state.roam(from) {
            shared.events.push(Event::Roamed { peer: peer.key, endpoint: from });
        }
    }

    fn complete(
        &mut self,
        shared: &Shared,
        peer: &Arc<Peer>,
        state: &mut PeerState,
        rtt: Option<Duration>,
        to: SocketAddr,
        mtu: &mut MtuWatcher,
    ) {
        state.completed(rtt, SystemTime::now());
        shared.events.push(Event::Handshake { peer: peer.key, rtt, preshared: state.agreed() });
        let waiting: Vec<_> = state.tunn.get_queued_packets(mtu).collect();
        for message in waiting {
            self.queue(shared, peer, state, message, to);
        }
    }

    fn queue(&mut self, shared: &Shared, peer: &Arc<Peer>, state: &mut PeerState, message: WgKind, to: SocketAddr) {
        let message = match message {
            WgKind::HandshakeInit(message) => return shared.begin(peer, state, message, Instant::now()),
            message => message,
        };
        shared.leaves(&message, peer, to);
        self.answers.push((message.into(), to));
        self.answered.push(Arc::clone(peer));
    }

    /// Keeps a decrypted packet if its source belongs to the peer that sent it.
    fn accept(&mut self, shared: &Shared, view: &View, peer: &Arc<Peer>, mut packet: Packet) {
        if packet.is_empty() {
            return;
        }
        let Some((len, from)) = ip_len(&packet).zip(source(&packet)) else {
            add(&shared.counters.rx_invalid, 1);
            return;
        };
        if self.known != Some((peer.key, from)) {
            if !view.routes.find(from).is_some_and(|owner| Arc::ptr_eq(owner, peer)) {
                add(&shared.counters.rx_foreign_source, 1);
                return;
            }
            self.known = Some((peer.key, from));
        }
        packet.truncate(len);
        self.plain.push(packet);
    }
}
