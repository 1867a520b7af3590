//! The MACs of handshake messages: who knows our public key (MAC1), and who gets what is sent to its address (MAC2, made
//! with the cookie that we reply with). Whitepaper, 5.3, 5.4.4 and 5.4.7; time is passed in.
//!
//! gotatun's limiter does the same, but it remembers every address for a second, forged ones as well, and doesn't tell
//! whether an address was proven.
use blake2::digest::consts::U16;
use blake2::digest::{FixedOutput, KeyInit, Mac};
use blake2::{Blake2s256, Blake2sMac, Digest};
use chacha20poly1305::aead::rand_core::RngCore;
use chacha20poly1305::aead::{AeadInPlace, OsRng};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Bytes of a cookie reply.
const REPLY: usize = 64;
const MAC: usize = 16;
/// How long one secret makes cookies; they are taken for as long again.
const ROTATE: Duration = Duration::from_secs(120);

/// A handshake message, initiation or response, by its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a>(&'a [u8]);

impl<'a> Handshake<'a> {
    /// None for everything else.
    pub fn read(message: &'a [u8]) -> Option<Self> {
        let whole = matches!((message.first()?, message.len()), (1, 148) | (2, 92));
        whole.then_some(Self(message))
    }

    /// What MAC1 is of; MAC1; MAC2.
    fn parts(&self) -> (&'a [u8], &'a [u8], &'a [u8]) {
        let (body, macs) = self.0.split_at(self.0.len() - 2 * MAC);
        let (mac1, mac2) = macs.split_at(MAC);
        (body, mac1, mac2)
    }

    /// The sender's index.
    fn sender(&self) -> &'a [u8] {
        &self.0[4..8]
    }
}

/// Checks MACs, and makes cookies.
pub struct Cookies {
    mac1_key: [u8; 32],
    reply_key: Key,
    secrets: Secrets,
}

/// The present one, and the one before.
struct Secrets {
    all: [[u8; 32]; 2],
    since: Instant,
}

impl Cookies {
    /// For whoever has this public key.
    pub fn new(public: &[u8; 32], now: Instant) -> Self {
        Self {
            mac1_key: Blake2s256::new_with_prefix(b"mac1----").chain_update(public).finalize().into(),
            reply_key: Blake2s256::new_with_prefix(b"cookie--").chain_update(public).finalize(),
            secrets: Secrets { all: [random(), random()], since: now },
        }
    }

    /// Whether the sender knows our public key.
    pub fn knows_us(&self, message: Handshake) -> bool {
        let (body, mac1, _) = message.parts();
        mac(&self.mac1_key, &[body]).verify_slice(mac1).is_ok()
    }

    /// Whether the sender has got a cookie that was sent to this address lately.
    pub fn is_proven(&mut self, message: Handshake, from: SocketAddr, now: Instant) -> bool {
        let (body, mac1, mac2) = message.parts();
        self.secrets.turn(now);
        self.secrets.all.iter().any(|secret| mac(&cookie(secret, from), &[body, mac1]).verify_slice(mac2).is_ok())
    }

    /// The reply that carries the cookie of this address.
    pub fn reply(&mut self, message: Handshake, from: SocketAddr, now: Instant) -> [u8; REPLY] {
        let (_, mac1, _) = message.parts();
        self.secrets.turn(now);
        let mut reply = [0; REPLY];
        reply[0] = 3;
        reply[4..8].copy_from_slice(message.sender());
        OsRng.fill_bytes(&mut reply[8..32]);
        let (head, sealed) = reply.split_at_mut(32);
        sealed[..MAC].copy_from_slice(&cookie(&self.secrets.all[0], from));
        let cipher = XChaCha20Poly1305::new(&self.reply_key);
        let (text, tag) = sealed.split_at_mut(MAC);
        let made = cipher.encrypt_in_place_detached(XNonce::from_slice(&head[8..]), mac1, text);
        tag.copy_from_slice(&made.expect("a cookie is shorter than the cipher's limit"));
        reply
    }
}

impl Secrets {
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= ROTATE {
            // Who was away for longer begins with two fresh ones.
            let before = if age < 2 * ROTATE { self.all[0] } else { random() };
            (self.all, self.since) = ([random(), before], now);
        }
    }
}

fn cookie(secret: &[u8; 32], from: SocketAddr) -> [u8; MAC] {
    let port = from.port().to_be_bytes();
    let whole = match from.ip() {
        IpAddr::V4(ip) => mac(secret, &[&ip.octets(), &port]),
        IpAddr::V6(ip) => mac(secret, &[&ip.octets(), &port]),
    };
    whole.finalize_fixed().into()
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Blake2sMac<U16> {
    let mut mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(key).expect("BLAKE2s takes keys up to 32 bytes");
    parts.iter().for_each(|part| Mac::update(&mut mac, part));
    mac
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerState;
    use crate::peer::tests::identity;
    use gotatun::noise::index_table::IndexTable;
    use gotatun::packet::{Packet, WgKind};

    struct World {
        cookies: Cookies,
        client: PeerState,
        now: Instant,
    }

    fn world() -> World {
        let (server, now) = (identity(1), Instant::now());
        let client = PeerState::new(&identity(2), server.public.as_bytes(), None, IndexTable::from_os_rng(), None);
        World { cookies: Cookies::new(server.public.as_bytes(), now), client, now }
    }

    impl World {
        fn initiation(&mut self) -> Vec<u8> {
            self.client.tunn.format_handshake_initiation(true).unwrap().into_bytes().to_vec()
        }

        /// gotatun's client reads our reply.
        fn give_cookie(&mut self, from: SocketAddr) {
            let init = self.initiation();
            let reply = self.cookies.reply(Handshake::read(&init).unwrap(), from, self.now);
            let reply = Packet::copy_from(&reply[..]).try_into_wg().ok().unwrap();
            assert!(matches!(reply, WgKind::CookieReply(_)));
            self.client.tunn.handle_incoming_packet(reply);
        }

        fn is_proven(&mut self, from: SocketAddr) -> bool {
            let init = self.initiation();
            self.cookies.is_proven(Handshake::read(&init).unwrap(), from, self.now)
        }
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_cookie_proves_the_address_that_it_was_sent_to_and_no_other() {
        let mut w = world();
        for here in [at("192.0.2.1:7"), at("[2001:db8::1]:7")] {
            assert!(!w.is_proven(here));
            w.give_cookie(here);
            assert!(w.is_proven(here));
            for other in [at("192.0.2.1:8"), at("192.0.2.2:7"), at("[2001:db8::1]:8"), at("[2001:db8::2]:7")] {
                assert!(!w.is_proven(other));
            }
        }
    }

    #[test]
    fn a_cookie_is_good_for_two_minutes_and_not_for_six() {
        let mut w = world();
        w.give_cookie(at("192.0.2.1:7"));
        w.now += ROTATE;
        assert!(w.is_proven(at("192.0.2.1:7")));
        w.now += ROTATE;
        assert!(!w.is_proven(at("192.0.2.1:7")));
        w.give_cookie(at("192.0.2.1:7"));
        w.now += 3 * ROTATE;
        assert!(!w.is_proven(at("192.0.2.1:7")));
    }

    #[test]
    fn mac1_takes_our_public_key_and_covers_the_message() {
        let mut w = world();
        let init = w.initiation();
        assert!(w.cookies.knows_us(Handshake::read(&init).unwrap()));
        for at in 0..init.len() - MAC {
            let mut other = init.clone();
            other[at] ^= 0x80;
            assert!(!Handshake::read(&other).is_some_and(|m| w.cookies.knows_us(m)), "{at}");
        }
        let stranger = Cookies::new(&[9; 32], w.now);
        assert!(!stranger.knows_us(Handshake::read(&init).unwrap()));
    }

    #[test]
    fn only_whole_handshakes_are_read() {
        for (kind, len, whole) in [(1, 148, true), (2, 92, true), (1, 147, false), (1, 92, false), (4, 148, false)] {
            let mut message = vec![0; len];
            message[0] = kind;
            assert_eq!(Handshake::read(&message).is_some(), whole);
        }
        assert!(Handshake::read(&[]).is_none());
    }
}
