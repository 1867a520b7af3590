//! Who is asked for a cookie, who is told of, and that strangers take bounded memory.

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
    assert!(matches!(told[..], [Flood { proven: true, handshakes, .. }] if handshakes > MOST_PER_ADDRESS), "{told:?}");
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
