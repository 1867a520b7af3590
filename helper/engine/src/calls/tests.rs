use super::*;
use crate::limiter::{FREE_PER_ADDRESS, Limiter};
use crate::peer::tests::{identity, state};
use gotatun::noise::index_table::IndexTable;
use gotatun::noise::{TimerParams, TunnResult};

const MS: Duration = Duration::from_millis(1);

fn at(host: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, host], 51820))
}

/// A message as it comes in at the other end.
fn far(message: &Wire) -> Packet {
    Packet::copy_from(message.bytes())
}

fn send(s: &mut PeerState, now: Instant) -> Vec<SocketAddr> {
    std::iter::from_fn(|| s.next_initiation(now)).map(|(_, to)| to).collect()
}

fn kick(s: &mut PeerState, now: Instant) -> bool {
    let message = s.kick(now);
    let kicked = message.is_some();
    message.into_iter().for_each(|m| s.begin(m, now));
    kicked
}

/// Two ends with a session, the first of which has asked for it; the other is at 192.0.2.1 or .2.
fn pair() -> (PeerState, PeerState) {
    pair_with(None)
}

fn pair_with(timers: Option<&TimerParams>) -> (PeerState, PeerState) {
    let (mine, theirs) = (identity(1), identity(2));
    let table = IndexTable::from_os_rng;
    let mut a = PeerState::new(&mine, theirs.public.as_bytes(), None, table(), timers);
    let mut b = PeerState::new(&theirs, mine.public.as_bytes(), None, table(), timers);
    a.configure(at(1), &[at(2)]);
    let now = Instant::now();
    let init = a.kick(now).unwrap().into();
    let TunnResult::WriteToNetwork(answer) = b.tunn.handle_incoming_packet(init) else { panic!() };
    let TunnResult::WriteToNetwork(first) = a.tunn.handle_incoming_packet(answer) else { panic!() };
    a.completed(Some(MS), SystemTime::now());
    a.heard(now);
    assert!(matches!(b.tunn.handle_incoming_packet(first), TunnResult::WriteToTunnel(_)));
    (a, b)
}

#[test]
fn unanswered_handshakes_are_reported_every_15_s() {
    let mut s = state(true);
    let t = Instant::now();
    assert!(!s.stale(t + STALE_AFTER));
    assert!(kick(&mut s, t));
    assert!(!s.stale(t + STALE_AFTER - MS));
    assert!(kick(&mut s, t + RETRY));
    assert!(s.stale(t + STALE_AFTER));
    assert!(!s.stale(t + STALE_AFTER));
    assert!(s.stale(t + 2 * STALE_AFTER));
    s.completed(None, SystemTime::now());
    assert!(!s.stale(t + 9 * STALE_AFTER));
}

#[test]
fn a_handshake_that_fails_while_data_comes_is_no_death() {
    let (mut s, _) = pair();
    let t = Instant::now();
    assert!(kick(&mut s, t));
    for second in 0..40 {
        let now = t + Duration::from_secs(second);
        s.heard(now);
        assert!(!s.stale(now));
    }
    assert!(s.stale(t + Duration::from_secs(50)));
}

#[test]
fn a_kick_needs_an_endpoint_and_a_pause() {
    assert!(state(false).kick(Instant::now()).is_none());
    let mut s = state(true);
    let t = Instant::now();
    assert!(kick(&mut s, t));
    assert!(!kick(&mut s, t + KICK_AGAIN / 2));
    assert!(kick(&mut s, t + KICK_AGAIN));
}

#[test]
fn only_keepalive_makes_attempts_go_on_after_the_end() {
    for (keepalive, again) in [(None, false), (Some(25), true)] {
        let mut s = state(true);
        s.set_keepalive(keepalive);
        let t = Instant::now();
        kick(&mut s, t);
        s.tunn.reset();
        let later = t + Duration::from_secs(90);
        let message = s.expired(later);
        assert_eq!(message.is_some(), again);
        message.into_iter().for_each(|m| s.begin(m, later));
        assert_eq!(s.stale(later + MS), again);
    }
}

#[test]
fn while_nothing_answers_all_addresses_are_called_and_another_is_first_each_time() {
    let mut s = state(false);
    s.configure(at(1), &[at(2), at(1)]);
    let t = Instant::now();
    kick(&mut s, t);
    assert_eq!(send(&mut s, t), [at(1)]);
    assert_eq!(s.deadline(), Some(t + 250 * MS));
    assert_eq!(send(&mut s, t + 250 * MS), [at(2)]);
    assert_eq!(s.deadline(), None);
    kick(&mut s, t + RETRY);
    assert_eq!(send(&mut s, t + RETRY), [at(2)]);
}

#[test]
fn a_live_session_is_renewed_at_its_endpoint_alone() {
    let (mut s, _) = pair();
    let t = Instant::now();
    kick(&mut s, t);
    assert_eq!(send(&mut s, t), [at(1)]);
    assert_eq!(s.deadline(), None);
    assert_eq!(send(&mut s, t + RETRY), []);
}

#[test]
fn a_copy_that_arrives_second_is_refused_by_the_peer() {
    let (mut a, mut b) = pair();
    a.rebound(Instant::now());
    let t = Instant::now();
    assert!(kick(&mut a, t));
    let copies: Vec<_> = std::iter::from_fn(|| a.next_initiation(t + RETRY)).map(|(packet, _)| far(&packet)).collect();
    let [first, second] = <[Packet; 2]>::try_from(copies).unwrap();
    let receive = |p: Packet, b: &mut PeerState| b.tunn.handle_incoming_packet(p.try_into_wg().unwrap());
    assert!(matches!(receive(first, &mut b), TunnResult::WriteToNetwork(WgKind::HandshakeResp(_))));
    assert!(matches!(receive(second, &mut b), TunnResult::Err(_)));
}

#[test]
fn cookies_of_every_address_let_a_handshake_in() {
    // Each path has another source address, for which the peer under load has another cookie; the last one counts.
    let gateway = identity(2);
    let limiter = Limiter::new(&gateway.public);
    let mut s = state(false);
    s.configure(at(1), &[at(2), at(3)]);
    let source = |to: SocketAddr| SocketAddr::from(([10, 0, 0, to.ip().to_string().as_bytes()[8]], 9));
    let start = Instant::now();
    let mut t = start;
    let knock = |s: &mut PeerState, t: Instant| {
        let copies: Vec<_> = std::iter::from_fn(|| s.next_initiation(t + RETRY)).collect();
        let mut passed = 0;
        for (packet, to) in copies {
            // All within the limiter's second.
            match limiter.verify(source(to), far(&packet), start) {
                Ok(_) => passed += 1,
                Err(TunnResult::WriteToNetwork(cookie)) => drop(s.tunn.handle_incoming_packet(cookie)),
                Err(e) => panic!("{e:?}"),
            }
        }
        passed
    };
    for _ in 0..FREE_PER_ADDRESS {
        t += KICK_AGAIN;
        assert!(kick(&mut s, t));
        assert_eq!(knock(&mut s, t), 3);
    }
    t += KICK_AGAIN;
    kick(&mut s, t);
    assert_eq!(knock(&mut s, t), 0);
    t += KICK_AGAIN;
    kick(&mut s, t);
    assert_eq!(knock(&mut s, t), 1);
}

#[test]
fn on_another_network_the_session_goes_where_there_is_a_way() {
    let (mut s, mut other) = pair();
    let t = Instant::now();
    assert!(s.rebound(t).is_none());
    let (Some((_, to)), None) = s.greet(t) else { panic!() };
    assert_eq!(to, at(1));
    assert!(!s.went(Purpose::Knock, to, false, t));
    let (Some((knock, to)), None) = s.greet(t) else { panic!() };
    assert_eq!(to, at(2));
    assert!(s.went(Purpose::Knock, to, true, t));
    assert_eq!(s.endpoint(), Some(at(2)));
    let arrived = other.tunn.handle_incoming_packet(far(&knock).try_into_wg().unwrap());
    assert!(matches!(arrived, TunnResult::WriteToTunnel(p) if p.is_empty()));
    // Configured anew, it stays there, since it works.
    s.configure(at(1), &[at(2)]);
    assert_eq!(s.endpoint(), Some(at(2)));
    s.configure(at(1), &[at(3)]);
    assert_eq!(s.endpoint(), Some(at(1)));
}

#[test]
fn a_greeting_ends_in_a_handshake_unless_the_peer_is_heard() {
    for heard in [false, true] {
        let (mut s, _) = pair();
        let t = Instant::now();
        s.rebound(t);
        s.greet(t);
        if heard {
            s.heard(t);
        }
        assert_eq!(s.greet(t + RETRY).1.is_some(), !heard);
        assert_eq!(s.deadline(), None);
    }
}

#[test]
fn a_keepalive_renews_an_old_session_if_we_have_begun_it() {
    let old = TimerParams { rekey_after_time: Duration::ZERO..=Duration::ZERO, ..TimerParams::default() };
    for (timers, renewed) in [(None, false), (Some(&old), true)] {
        let (mut a, mut b) = pair_with(timers);
        let keepalive = |s: &mut PeerState| WgKind::from(s.tunn.encapsulate_with_session(Packet::default()).unwrap());
        let data = Packet::copy_from(&[0x45; 20][..]);
        let data = WgKind::from(a.tunn.encapsulate_with_session(data).unwrap());
        assert!(a.renew(&data).is_none());
        let (ours, theirs) = (keepalive(&mut a), keepalive(&mut b));
        assert_eq!(a.renew(&ours).is_some(), renewed);
        assert!(b.renew(&theirs).is_none());
    }
}

#[test]
fn without_a_way_to_the_endpoint_another_is_looked_for_once_a_second() {
    let (mut s, _) = pair();
    let t = Instant::now();
    assert!(s.lost_way(t));
    assert!(!s.lost_way(t));
    s.heard(t);
    assert!(!s.lost_way(t + SEARCH_AGAIN / 2));
    assert!(s.lost_way(t + SEARCH_AGAIN));
    assert!(!state(true).lost_way(t));
}
