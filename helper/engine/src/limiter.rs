//! Who may cost us a handshake: cookies under load.
//!
//! An address that asks too often is asked for a cookie, and so is everyone while handshakes of all together are too many:
//! a flood comes from many forged addresses. An address that has shown its cookie is still held to a rate, as Linux does
//! (whitepaper, 5.3 and 5.4.7). What is remembered of addresses is bounded, and forgotten each second.
use crate::cookies::{Cookies, Handshake};
use gotatun::noise::TunnResult;
use gotatun::noise::errors::WireGuardError;
use gotatun::noise::rate_limiter::RateLimiter;
use gotatun::packet::{Packet, WgKind};
use gotatun::x25519::PublicKey;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Handshake messages a second from one address that need no cookie.
pub const FREE_PER_ADDRESS: u32 = 20;
/// Handshake messages a second from everywhere that need no cookie.
const FREE_IN_ALL: u32 = 200;
/// Handshake messages a second from one IPv4 address, or one IPv6 /64, that has shown its cookies; more are a flood.
const MOST_PER_ADDRESS: u32 = 50;
/// How long the state "under load" outlasts its cause.
const COOL_DOWN: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(1);
/// Addresses remembered for a second, of those that have shown a cookie and of the others. More than that are under load
/// anyway, and each is asked for its cookie.
const CAPACITY: usize = 4096;
/// Floods told a second, the largest.
const TOLD: usize = 16;

pub struct Limiter {
    guard: Mutex<Guard>,
    /// gotatun's sessions want one. They only reset it.
    idle: Arc<RateLimiter>,
}

struct Guard {
    cookies: Cookies,
    window: Instant,
    seen: u32,
    loaded_until: Option<Instant>,
    unproven: HashMap<IpAddr, Count>,
    proven: HashMap<IpAddr, Count>,
    floods: Vec<Flood>,
}

struct Count {
    handshakes: u32,
    last: SocketAddr,
}

/// More handshakes in a second than anybody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Where the last of them came from.
    pub from: SocketAddr,
    /// Whoever sends them gets what is sent there: the address isn't forged.
    pub proven: bool,
    /// In one second, from this IPv4 address or IPv6 /64.
    pub handshakes: u32,
}

impl Limiter {
    pub fn new(public: &PublicKey) -> Self {
        let now = Instant::now();
        let guard = Guard {
            cookies: Cookies::new(public.as_bytes(), now),
            window: now,
            seen: 0,
            loaded_until: None,
            unproven: HashMap::new(),
            proven: HashMap::new(),
            floods: Vec::new(),
        };
        Self { guard: Mutex::new(guard), idle: Arc::new(RateLimiter::new(public, 0)) }
    }

    /// For the sessions.
    pub fn shared(&self) -> Arc<RateLimiter> {
        Arc::clone(&self.idle)
    }

    /// Parses a datagram. An error is either a cookie reply to send, or a reason to drop.
    pub fn verify(&self, from: SocketAddr, packet: Packet, now: Instant) -> Result<WgKind, TunnResult> {
        // Reserved, and not under any MAC of a data message; Linux takes none either that isn't zero.
        if packet.get(1..4) != Some(&[0; 3]) {
            return Err(invalid(WireGuardError::InvalidPacket));
        }
        if let Some(handshake) = Handshake::read(&packet) {
            self.guard.lock().check(handshake, from, now)?;
        }
        packet.try_into_wg().map_err(|_| invalid(WireGuardError::InvalidPacket))
    }

    /// To be called at least once a second; gives the floods since the last call.
    pub fn tick(&self, now: Instant) -> Vec<Flood> {
        let mut guard = self.guard.lock();
        guard.turn(now);
        std::mem::take(&mut guard.floods)
    }
}

impl Guard {
    fn check(&mut self, message: Handshake, from: SocketAddr, now: Instant) -> Result<(), TunnResult> {
        // Only what carries a right MAC1 counts: it takes our public key to make.
        if !self.cookies.knows_us(message) {
            return Err(invalid(WireGuardError::InvalidMac));
        }
        self.turn(now);
        self.seen += 1;
        let loaded = self.loaded_until.is_some_and(|t| now < t);
        if self.seen > FREE_IN_ALL {
            self.loaded_until = Some(now + WINDOW + COOL_DOWN);
        }
        let place = place(from.ip());
        if !loaded && !self.proven.contains_key(&place) && count(&mut self.unproven, place, from) <= FREE_PER_ADDRESS {
            return Ok(());
        }
        if !self.cookies.is_proven(message, from, now) {
            if loaded {
                count(&mut self.unproven, place, from);
            }
            let reply = self.cookies.reply(message, from, now);
            let reply = Packet::copy_from(&reply[..]).try_into_wg();
            return Err(reply.map_or_else(|_| invalid(WireGuardError::InvalidPacket), TunnResult::WriteToNetwork));
        }
        if count(&mut self.proven, place, from) <= MOST_PER_ADDRESS { Ok(()) } else { Err(TunnResult::Done) }
    }

    fn turn(&mut self, now: Instant) {
        if now.saturating_duration_since(self.window) < WINDOW {
            return;
        }
        self.window = now;
        self.seen = 0;
        for (all, proven) in [(&mut self.proven, true), (&mut self.unproven, false)] {
            let many = all.drain().filter(|(_, count)| count.handshakes > MOST_PER_ADDRESS);
            self.floods.extend(many.map(|(_, c)| Flood { from: c.last, proven, handshakes: c.handshakes }));
        }
        self.floods.sort_unstable_by_key(|flood| std::cmp::Reverse((flood.proven, flood.handshakes)));
        self.floods.truncate(TOLD);
    }
}

/// How often this place has been counted, now that it has been once more. Places that there is no room for count as new.
fn count(all: &mut HashMap<IpAddr, Count>, place: IpAddr, from: SocketAddr) -> u32 {
    if all.len() >= CAPACITY && !all.contains_key(&place) {
        return 1;
    }
    let count = all.entry(place).or_insert(Count { handshakes: 0, last: from });
    count.handshakes += 1;
    count.last = from;
    count.handshakes
}

fn invalid(error: WireGuardError) -> TunnResult {
    TunnResult::Err(error)
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
        assert_eq!(passed, FREE_PER_ADDRESS + MOST_PER_ADDRESS);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_share_that_limit() {
        let mut w = world();
        let net = u128::from("2001:db8::".parse::<Ipv6Addr>().unwrap());
        let knock = |w: &mut World, address: u128| w.knock_from(Ipv6Addr::from(address).into());
        for i in 0..u128::from(FREE_PER_ADDRESS) {
            assert!(knock(&mut w, net + i).is_ok());
        }
        assert!(is_cookie(&knock(&mut w, net + 99)));
        assert!(knock(&mut w, net + (1 << 64)).is_ok());
        let mut passed = 0;
        for i in 0..2 * u128::from(MOST_PER_ADDRESS) {
            if let Err(TunnResult::WriteToNetwork(cookie)) = knock(&mut w, net + i) {
                w.client.tunn.handle_incoming_packet(cookie);
            }
            passed += u32::from(knock(&mut w, net + i).is_ok());
        }
        assert_eq!(passed, MOST_PER_ADDRESS);
    }

    /// Initiations from one address for a second, each cookie used; then the clock's next second.
    fn flood(w: &mut World, from: u32, n: u32) -> Vec<Flood> {
        for _ in 0..n {
            if let Err(TunnResult::WriteToNetwork(cookie)) = w.knock(from) {
                w.client.tunn.handle_incoming_packet(cookie);
            }
        }
        w.now += WINDOW;
        w.limiter.tick(w.now)
    }

    #[test]
    fn a_flood_is_told_with_whether_its_address_is_proven() {
        let mut w = world();
        assert_eq!(flood(&mut w, 1, MOST_PER_ADDRESS), []);
        let told = flood(&mut w, 1, 4 * MOST_PER_ADDRESS);
        assert!(
            matches!(told[..], [Flood { proven: true, handshakes, .. }] if handshakes > MOST_PER_ADDRESS),
            "{told:?}"
        );
        assert_eq!(told[0].from, SocketAddr::from((Ipv4Addr::from(1), 1)));
        assert_eq!(w.limiter.tick(w.now), []);
        // Who takes no notice of the cookies may be anybody.
        let mut w = world();
        (0..2 * MOST_PER_ADDRESS).for_each(|_| drop(w.knock(7)));
        w.now += WINDOW;
        let told = w.limiter.tick(w.now);
        assert!(matches!(told[..], [Flood { proven: false, .. }]), "{told:?}");
    }

    #[test]
    fn forged_addresses_without_number_take_bounded_memory_and_few_words() {
        let mut w = world();
        for n in 0..2 * FREE_IN_ALL {
            assert_eq!(w.knock(n).is_ok(), n <= FREE_IN_ALL, "{n}");
        }
        assert!(w.limiter.guard.lock().proven.is_empty());
        let mut all = HashMap::new();
        for n in 0..10 * CAPACITY as u32 {
            count(&mut all, Ipv4Addr::from(n).into(), SocketAddr::from((Ipv4Addr::from(n), 1)));
        }
        assert_eq!(all.len(), CAPACITY);
        w.now += WINDOW + COOL_DOWN;
        w.limiter.tick(w.now);
        for from in 0..2 * TOLD as u32 {
            for _ in 0..2 * MOST_PER_ADDRESS {
                drop(w.knock(from));
            }
        }
        w.now += WINDOW;
        assert_eq!(w.limiter.tick(w.now).len(), TOLD);
        assert!(w.limiter.guard.lock().unproven.is_empty());
    }

    #[test]
    fn reserved_bytes_are_zero() {
        let w = world();
        let from = SocketAddr::from(([192, 0, 2, 1], 1));
        let verify = |bytes: &[u8]| w.limiter.verify(from, Packet::copy_from(bytes), w.now).is_ok();
        let mut data = [0; 32];
        data[0] = 4;
        assert!(verify(&data));
        for at in 1..4 {
            let mut other = data;
            other[at] = 1;
            assert!(!verify(&other), "{at}");
        }
        assert!((0..4).all(|len| !verify(&data[..len])));
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
