//! What must hold for any datagrams: shared by the fuzz target and by its short sample in `cargo test`.
use super::steps::{Agreed, agreed, damage, steps};
use slopn_engine::gotatun::noise::TunnResult;
use slopn_engine::gotatun::packet::{Packet, WgKind};
use slopn_engine::offload::ip_len;
use slopn_engine::outbound::{destination, source};
use slopn_engine::peer::{Identity, PeerState};
use std::net::SocketAddr;
use std::time::Instant;

/// A client and a server that have a session, and what the client has sent so far.
struct World {
    identity: &'static Identity,
    client: PeerState,
    server: PeerState,
    /// Genuine data messages, and whether the server has taken each.
    sent: Vec<(Vec<u8>, bool)>,
    now: Instant,
}

/// Reads `bytes` as steps: a kind, a length, and that many bytes.
///
/// # Panics
/// When something was delivered that the client hasn't sent, or that was delivered before, or when it should have been.
pub fn check(bytes: &[u8]) {
    let mut world = World::new();
    steps(bytes, |kind, value| match kind % 6 {
        0 => world.arrives(value),
        1 => world.data(value),
        2 => world.again(value),
        3 => world.damaged(value),
        4 => world.handshake(value),
        _ => world.for_client(value),
    });
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let Agreed { client, server, identities: [_, identity] } = agreed(now);
        Self { identity, client, server, sent: Vec::new(), now }
    }

    /// Something is delivered only if it is one of what the client has sent, for the first time.
    fn arrives(&mut self, datagram: &[u8]) {
        let genuine = self.sent.iter().position(|(sent, taken)| sent == datagram && !taken);
        let from = SocketAddr::from(([192, 0, 2, 1], 1));
        let message = self.identity.limiter.verify(from, Packet::copy_from(datagram), self.now);
        let result = message.map(|message| self.server.receive(message, self.now));
        match (result, genuine) {
            (Ok(TunnResult::WriteToTunnel(packet)), Some(at)) => {
                self.sent[at].1 = true;
                let len = ip_len(&packet);
                assert!(len.is_none_or(|len| len <= packet.len() && source(&packet).is_some()));
                assert!(len.is_none_or(|_| destination(&packet).is_some()));
            }
            (Ok(TunnResult::WriteToTunnel(_)), None) => panic!("a forged or repeated message was delivered"),
            (_, Some(_)) => panic!("a genuine message was not delivered"),
            (_, None) => {}
        }
    }

    /// The client sends this. It isn't on its way yet when it is one of the few that are kept back.
    fn data(&mut self, plain: &[u8]) {
        if let Ok(message) = self.client.tunn.encapsulate_with_session(Packet::copy_from(plain)) {
            let datagram = message.into_bytes().to_vec();
            self.sent.push((datagram.clone(), false));
            if plain.first().is_none_or(|first| first % 4 != 0) {
                self.arrives(&datagram);
            }
        }
    }

    /// One of what was sent arrives, again or late.
    fn again(&mut self, value: &[u8]) {
        if let Some(datagram) = self.pick(value) {
            self.arrives(&datagram);
        }
    }

    /// The same, with a byte changed or its end cut off.
    fn damaged(&mut self, value: &[u8]) {
        let Some(mut datagram) = self.pick(value) else { return };
        damage(&mut datagram, value.get(1..).unwrap_or_default());
        self.arrives(&datagram);
    }

    /// An initiation, damaged unless there is nothing to damage it with.
    fn handshake(&mut self, value: &[u8]) {
        let Some(init) = self.client.tunn.format_handshake_initiation(true) else { return };
        let mut datagram = init.into_bytes().to_vec();
        damage(&mut datagram, value);
        self.arrives(&datagram);
    }

    /// Bytes for the client, which takes nothing that isn't from the server.
    fn for_client(&mut self, value: &[u8]) {
        if let Ok(message) = Packet::copy_from(value).try_into_wg() {
            let harmless = matches!(message, WgKind::HandshakeInit(_) | WgKind::CookieReply(_));
            let result = self.client.receive(message, self.now);
            assert!(harmless || matches!(result, TunnResult::Err(_)), "{result:?}");
        }
    }

    fn pick(&self, value: &[u8]) -> Option<Vec<u8>> {
        let at = usize::from(*value.first()?) % self.sent.len().max(1);
        Some(self.sent.get(at)?.0.clone())
    }
}
