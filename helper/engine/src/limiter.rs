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
mod tests;
