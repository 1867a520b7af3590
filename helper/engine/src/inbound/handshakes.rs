//! Messages that are of no session yet: handshakes and cookies, and what a session that begins lets go.
use super::Inbound;
use crate::counters::add;
use crate::events::Event;
use crate::peer::{Identity, Peer, PeerState};
use crate::shared::{Shared, View};
use gotatun::noise::TunnResult;
use gotatun::noise::handshake::parse_handshake_anon;
use gotatun::packet::{Packet, WgKind};
use gotatun::tun::MtuWatcher;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

impl Inbound {
    /// A message that isn't of a session.
    pub(super) fn control(
        &mut self,
        shared: &Shared,
        view: &View,
        identity: &Identity,
        message: Packet,
        from: SocketAddr,
        now: Instant,
    ) {
        let len = message.len();
        let message = match identity.limiter.verify(from, message, now) {
            Ok(message) => message,
            Err(TunnResult::WriteToNetwork(cookie)) => {
                add(&shared.counters.cookies_sent, 1);
                return self.cookies.push((cookie.into(), from));
            }
            Err(_) => return add(&shared.counters.rx_invalid, 1),
        };
        let peer = match &message {
            WgKind::HandshakeInit(m) => parse_handshake_anon(&identity.private, &identity.public, m)
                .ok()
                .and_then(|half| view.peers.get(&half.peer_static_public).cloned()),
            WgKind::HandshakeResp(m) => shared.index.find(m.receiver_idx.get()),
            WgKind::CookieReply(m) => shared.index.find(m.receiver_idx.get()),
            WgKind::Data(_) => None,
        };
        let Some(peer) = peer else { return add(&shared.counters.rx_invalid, 1) };
        self.handshake(shared, &peer, message, (from, len, now));
        // Whatever has come of it: the timers sleep where there was neither session nor handshake.
        shared.look(&peer);
    }

    fn handshake(
        &mut self,
        shared: &Shared,
        peer: &Arc<Peer>,
        message: WgKind,
        (from, len, now): (SocketAddr, usize, Instant),
    ) {
        let mut state = peer.lock();
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
                    let mut mtu = MtuWatcher::new(shared.mtu.load(Relaxed));
                    self.complete(shared, peer, &mut state, rtt, from, &mut mtu);
                }
            }
            // A cookie: it carries a proof about us, none about where the peer is.
            TunnResult::Done | TunnResult::WriteToTunnel(_) => return add(&peer.rx_bytes, len),
            TunnResult::Err(error) => {
                add(&shared.counters.rx_invalid, 1);
                return shared.talk.refused(&shared.events, &peer.key, &error, now);
            }
        }
        add(&peer.rx_bytes, len);
        state.heard(now);
        self.proven(from);
        if state.roam(from) {
            shared.events.push(Event::Roamed { peer: peer.key, endpoint: from });
        }
    }

    pub(super) fn complete(
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
}
