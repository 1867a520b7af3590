//! Who may cost us a handshake: cookies under load, on top of gotatun's limiter.
//!
//! gotatun counts by source address only, so a flood from many forged addresses would never meet a cookie. Here a
//! second limiter that always asks for one takes over while handshakes of all sources together are too many, and
//! an address that has shown its cookie is still held to a rate, as Linux does (whitepaper, 5.3 and 5.4.7).
use gotatun::noise::TunnResult;
use gotatun::noise::rate_limiter::RateLimiter;
use gotatun::packet::{Packet, WgKind};
use gotatun::x25519::PublicKey;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Handshake messages a second from one address that need no cookie.
pub const FREE_PER_ADDRESS: u64 = 20;
/// Handshake messages a second from everywhere that need no cookie.
const FREE_IN_ALL: u32 = 200;
/// Handshake messages a second from one IPv4 address, or one IPv6 /64, that has shown its cookies.
const MOST_PER_ADDRESS: u32 = 50;
/// How long the state "under load" outlasts its cause.
const COOL_DOWN: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(1);

pub struct Limiter {
    /// Asks for a cookie once an address has used up its share.
    fair: Arc<RateLimiter>,
    /// Asks everyone.
    strict: RateLimiter,
    load: Mutex<Load>,
}

struct Load {
    window: Instant,
    seen: u32,
    loaded_until: Option<Instant>,
    by_address: HashMap<IpAddr, u32>,
}

impl Limiter {
    pub fn new(public: &PublicKey) -> Self {
        let load = Load { window: Instant::now(), seen: 0, loaded_until: None, by_address: HashMap::new() };
        Self {
            fair: Arc::new(RateLimiter::new(public, FREE_PER_ADDRESS)),
            strict: RateLimiter::new(public, 0),
            load: Mutex::new(load),
        }
    }

    /// For the sessions, which only reset it.
    pub fn shared(&self) -> Arc<RateLimiter> {
        Arc::clone(&self.fair)
    }

    /// Parses a datagram. An error is either a cookie reply to send, or a reason to drop.
    pub fn verify(&self, from: SocketAddr, packet: Packet, now: Instant) -> Result<WgKind, TunnResult> {
        let handshake = matches!(packet.first(), Some(1 | 2));
        if !handshake {
            return self.fair.verify_packet(from, packet);
        }
        let limiter = if self.load.lock().is_loaded(now) { &self.strict } else { &*self.fair };
        let message = limiter.verify_packet(from, packet);
        // Only what carries a right MAC1 counts: it takes our public key to make.
        if !matches!(message, Err(TunnResult::Err(_))) {
            self.load.lock().count(now);
        }
        let message = message?;
        if self.load.lock().allow(from.ip()) { Ok(message) } else { Err(TunnResult::Done) }
    }

    /// To be called at least once a second.
    pub fn tick(&self, now: Instant) {
        self.fair.try_reset_count();
        self.strict.try_reset_count();
        self.load.lock().turn(now);
    }
}

impl Load {
    fn turn(&mut self, now: Instant) {
        if now.saturating_duration_since(self.window) >= WINDOW {
            self.window = now;
            self.seen = 0;
            self.by_address.clear();
        }
    }

    fn is_loaded(&mut self, now: Instant) -> bool {
        self.turn(now);
        self.loaded_until.is_some_and(|t| now < t)
    }

    fn count(&mut self, now: Instant) {
        self.seen += 1;
        if self.seen > FREE_IN_ALL {
            self.loaded_until = Some(now + WINDOW + COOL_DOWN);
        }
    }

    fn allow(&mut self, from: IpAddr) -> bool {
        let n = self.by_address.entry(place(from)).or_default();
        *n += 1;
        *n <= MOST_PER_ADDRESS
    }
}

/// Who has one IPv6 address has all of its /64.
fn place(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerState;
    use crate::peer::tests::identity;
    use gotatun::noise::index_table::IndexTable;
    use std::net::Ipv4Addr;

    struct World {
        limiter: Limiter,
        client: PeerState,
        now: Instant,
    }

    fn world() -> World {
        let (server, client) = (identity(1), identity(2));
        let client = PeerState::new(&client, server.public.as_bytes(), None, IndexTable::from_os_rng(), None);
        World { limiter: Limiter::new(&server.public), client, now: Instant::now() }
    }

    impl World {
        /// One initiation from this address.
        fn knock(&mut self, from: u32) -> Result<WgKind, TunnResult> {
            self.knock_from(Ipv4Addr::from(from).into())
        }

        fn knock_from(&mut self, from: IpAddr) -> Result<WgKind, TunnResult> {
            let init = self.client.tunn.format_handshake_initiation(true).unwrap();
            let from = SocketAddr::new(from, 1);
            self.limiter.verify(from, init.into(), self.now)
        }
    }

    fn is_cookie(r: &Result<WgKind, TunnResult>) -> bool {
        matches!(r, Err(TunnResult::WriteToNetwork(WgKind::CookieReply(_))))
    }

    #[test]
    fn an_address_that_knocks_too_often_is_asked_for_a_cookie() {
        let mut w = world();
        for _ in 0..FREE_PER_ADDRESS {
            assert!(w.knock(1).is_ok());
        }
        assert!(is_cookie(&w.knock(1)));
        assert!(w.knock(2).is_ok());
    }

    #[test]
    fn many_addresses_together_make_everyone_show_a_cookie() {
        let mut w = world();
        for i in 0..=FREE_IN_ALL {
            assert!(w.knock(i).is_ok());
        }
        let asked = w.knock(u32::MAX);
        assert!(is_cookie(&asked));
        let Err(TunnResult::WriteToNetwork(cookie)) = asked else { panic!() };
        w.client.tunn.handle_incoming_packet(cookie);
        assert!(w.knock(u32::MAX).is_ok());
        w.now += WINDOW + COOL_DOWN;
        w.limiter.tick(w.now);
        assert!(w.knock(7).is_ok());
    }

    #[test]
    fn even_with_a_cookie_there_is_a_limit() {
        let mut w = world();
        let mut passed = 0;
        for _ in 0..10 * MOST_PER_ADDRESS {
            match w.knock(1) {
                Ok(_) => passed += 1,
                Err(TunnResult::WriteToNetwork(cookie)) => {
                    w.client.tunn.handle_incoming_packet(cookie);
                }
                Err(_) => {}
            }
        }
        assert_eq!(passed, MOST_PER_ADDRESS);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share_that_limit() {
        let mut w = world();
        let net = u128::from("2001:db8::".parse::<Ipv6Addr>().unwrap());
        let knock = |w: &mut World, address: u128| w.knock_from(Ipv6Addr::from(address).into()).is_ok();
        let passed = (0..2 * MOST_PER_ADDRESS).filter(|i| knock(&mut w, net + u128::from(*i))).count();
        assert_eq!(passed, MOST_PER_ADDRESS as usize);
        assert!(knock(&mut w, net + (1 << 64)));
    }

    #[test]
    fn what_lacks_a_right_mac_is_dropped_and_counts_nothing() {
        let mut w = world();
        for _ in 0..2 * FREE_IN_ALL {
            let init = w.client.tunn.format_handshake_initiation(true).unwrap();
            let mut bytes = init.into_bytes();
            bytes.buf_mut()[120] ^= 1;
            let from = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1);
            assert!(matches!(w.limiter.verify(from, bytes, w.now), Err(TunnResult::Err(_))));
        }
        assert!(w.knock(1).is_ok());
    }
}
