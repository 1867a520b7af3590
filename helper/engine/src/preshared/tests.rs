use super::*;
use crate::peer::tests::identity;
use gotatun::noise::index_table::IndexTable;
use gotatun::packet::WgData;

const OLD: (Label, Option<Secret>) = (1, Some(Secret([1; 32])));
const NEW: (Label, Option<Secret>) = (2, Some(Secret([2; 32])));
const NONE: (Label, Option<Secret>) = (0, None);

fn ends() -> (PeerState, PeerState) {
    let (mine, theirs) = (identity(1), identity(2));
    let table = IndexTable::from_os_rng;
    let mut a = PeerState::new(&mine, theirs.public.as_bytes(), None, table(), None);
    let mut b = PeerState::new(&theirs, mine.public.as_bytes(), None, table(), None);
    a.set_endpoint("192.0.2.1:1".parse().unwrap());
    b.set_endpoint("192.0.2.2:1".parse().unwrap());
    (a, b)
}

fn ask(a: &mut PeerState) -> WgKind {
    a.kick(Instant::now()).unwrap().into()
}

fn answer(b: &mut PeerState, initiation: WgKind) -> WgKind {
    let TunnResult::WriteToNetwork(answer) = b.receive(initiation, Instant::now()) else { panic!("not answered") };
    answer
}

/// Whether a handshake that `a` asks for comes about; then both say which key it was.
fn handshake(a: &mut PeerState, b: &mut PeerState) -> Option<Label> {
    let initiation = ask(a);
    let response = answer(b, initiation);
    let TunnResult::WriteToNetwork(WgKind::Data(first)) = a.receive(response, Instant::now()) else { return None };
    let index = first.header.receiver_idx.get();
    assert!(matches!(b.receive(WgKind::Data(first), Instant::now()), TunnResult::WriteToTunnel(_)));
    assert!(b.confirmed(index));
    assert_eq!(a.agreed(), b.agreed());
    Some(a.agreed())
}

fn seal(a: &mut PeerState) -> Packet<WgData> {
    a.tunn.encapsulate_with_session(Packet::copy_from(&[0x45; 20])).unwrap()
}

fn passes(a: &mut PeerState, b: &mut PeerState) -> bool {
    let sealed = WgKind::Data(seal(a));
    matches!(b.receive(sealed, Instant::now()), TunnResult::WriteToTunnel(packet) if !packet.is_empty())
}

#[test]
fn a_session_lives_on_when_the_key_changes() {
    let (mut a, mut b) = ends();
    assert_eq!(handshake(&mut a, &mut b), Some(0));
    a.set_preshared(vec![NEW]);
    assert!(passes(&mut a, &mut b) && passes(&mut b, &mut a));
    b.set_preshared(vec![NEW]);
    assert!(passes(&mut a, &mut b) && passes(&mut b, &mut a));
    assert_eq!(handshake(&mut a, &mut b), Some(2));
}

#[test]
fn no_order_of_the_steps_of_a_change_makes_a_handshake_fail() {
    let (before, expects, switched, after) = (vec![OLD], vec![OLD, NEW], vec![NEW, OLD], vec![NEW]);
    let steps = [
        (&before, &before, 1, 1),
        (&expects, &before, 1, 1),
        (&expects, &switched, 2, 1),
        (&switched, &switched, 2, 2),
        (&after, &switched, 2, 2),
        (&after, &after, 2, 2),
    ];
    for (ours, theirs, asked_by_us, asked_by_them) in steps {
        let (mut a, mut b) = ends();
        a.set_preshared(ours.clone());
        b.set_preshared(theirs.clone());
        assert_eq!(handshake(&mut a, &mut b), Some(asked_by_us));
        assert_eq!(handshake(&mut b, &mut a), Some(asked_by_them));
    }
}

#[test]
fn a_key_that_changes_under_way_does_no_harm() {
    let (mut a, mut b) = ends();
    a.set_preshared(vec![OLD, NEW]);
    b.set_preshared(vec![OLD]);
    let initiation = ask(&mut a);
    b.set_preshared(vec![NEW, OLD]);
    let response = answer(&mut b, initiation);
    a.set_preshared(vec![NEW, OLD]);
    assert!(matches!(a.receive(response, Instant::now()), TunnResult::WriteToNetwork(_)));
    assert_eq!(a.agreed(), 2);
}

#[test]
fn who_has_lost_the_key_gets_in_with_the_configured_one() {
    let (mut a, mut b) = ends();
    b.set_preshared(vec![NEW, OLD, NONE]);
    let tries: Vec<_> = (0..3).map(|_| handshake(&mut a, &mut b)).collect();
    assert_eq!(tries, [None, None, Some(0)]);
    assert_eq!(b.unused_answers(), 0);
    a.set_preshared(vec![NEW]);
    assert_eq!(handshake(&mut a, &mut b), Some(2));
}

#[test]
fn a_repeated_initiation_makes_nobody_take_another_key() {
    let (mut a, mut b) = ends();
    a.set_preshared(vec![NEW]);
    b.set_preshared(vec![NEW, NONE]);
    let initiation = a.kick(Instant::now()).unwrap().into_bytes();
    let again = || Packet::copy_from(&initiation[..]).try_into_wg().unwrap();
    answer(&mut b, again());
    for _ in 0..5 {
        let result = b.receive(again(), Instant::now());
        assert!(matches!(result, TunnResult::Err(WireGuardError::WrongTai64nTimestamp)));
    }
    assert_eq!(b.unused_answers(), 0);
    answer(&mut b, ask(&mut a));
    assert_eq!(b.unused_answers(), 1);
}

#[test]
fn many_answers_that_nobody_uses_leave_the_session_alone() {
    let (mut a, mut b) = ends();
    assert_eq!(handshake(&mut a, &mut b), Some(0));
    a.set_preshared(vec![NEW]);
    for _ in 0..20 {
        if let TunnResult::WriteToNetwork(response) = b.receive(ask(&mut a), Instant::now()) {
            assert!(matches!(a.receive(response, Instant::now()), TunnResult::Err(_)));
        }
        assert!(passes(&mut a, &mut b) && passes(&mut b, &mut a));
    }
    b.set_preshared(vec![NEW]);
    assert_eq!(handshake(&mut a, &mut b), Some(2));
}

#[test]
fn a_session_that_has_fallen_silent_keeps_nobody_from_asking() {
    let (mut a, mut b) = ends();
    assert_eq!(handshake(&mut a, &mut b), Some(0));
    a.set_preshared(vec![NEW]);
    let later = Instant::now() + LATELY;
    for _ in 0..20 {
        assert!(matches!(b.receive(ask(&mut a), later), TunnResult::WriteToNetwork(_)));
    }
}

#[test]
fn an_earlier_answer_that_is_used_counts() {
    let (mut a, mut b) = ends();
    b.set_preshared(vec![NONE, NEW]);
    let first = answer(&mut b, ask(&mut a));
    let WgKind::HandshakeResp(m) = &first else { panic!() };
    let index = m.sender_idx.get();
    answer(&mut b, ask(&mut a));
    assert!(matches!(a.receive(first, Instant::now()), TunnResult::WriteToNetwork(_)));
    let data = WgKind::Data(seal(&mut a));
    assert!(matches!(b.receive(data, Instant::now()), TunnResult::WriteToTunnel(_)));
    assert!(b.confirmed(index) && !b.confirmed(index));
    assert_eq!((b.agreed(), b.unused_answers()), (0, 0));
}
