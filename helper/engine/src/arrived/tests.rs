use super::*;
use crate::peer::PeerState;
use crate::peer::tests::pair;
use gotatun::noise::transport::Claim;

fn from(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// What seals at the far end, and our session; the states have to live as long.
fn session() -> (Claim, Session, (PeerState, PeerState)) {
    let (far, near) = pair();
    let claim = far.tunn.transport().unwrap().claim(100).unwrap();
    let transport = Arc::clone(near.tunn.transport().unwrap());
    let stand_in = PeerState::new(
        &crate::peer::tests::identity(1),
        crate::peer::tests::identity(2).public.as_bytes(),
        None,
        gotatun::noise::index_table::IndexTable::from_os_rng(),
        None,
    );
    let peer = Peer::new([1; 32], stand_in);
    (claim, Session { index: transport.index(), peer, transport }, (far, near))
}

fn seal(claim: &mut Claim, content: &[u8]) -> Vec<u8> {
    let mut slot = [&[0; HEADER][..], content, &[0; TAG]].concat();
    assert!(claim.seal(&mut slot));
    slot
}

fn put(batch: &mut Arrived, buffer: usize, datagrams: &[Vec<u8>]) {
    let bytes = datagrams.concat();
    batch.buffers()[buffer][..bytes.len()].copy_from_slice(&bytes);
    batch.filled(buffer, bytes.len(), datagrams[0].len(), (from(1 + buffer as u16), None));
}

fn assign(batch: &mut Arrived, session: &Session) {
    batch.assign(|index| (index == session.index).then(|| (Arc::clone(&session.peer), Arc::clone(&session.transport))));
}

fn settle(batch: &mut Arrived) -> Vec<String> {
    let word = |taken: Taken<'_>| format!("{taken:?}").split(['(', ',', ')']).next().unwrap().to_owned();
    (0..batch.count()).map(|i| word(batch.take(i))).collect()
}

#[test]
fn messages_are_opened_where_they_stand() {
    let (mut claim, session, _states) = session();
    let mut batch = Arrived::default();
    let sealed: Vec<_> = (1..4).map(|n| seal(&mut claim, &[n; 48])).collect();
    put(&mut batch, 0, &sealed);
    put(&mut batch, 2, &[seal(&mut claim, &[9; 16])]);
    assign(&mut batch, &session);
    batch.verify();
    assert_eq!(settle(&mut batch), ["Accepted"; 4]);
    batch.truncate(1, 20);
    batch.truncate(2, 0);
    let opened: Vec<_> = batch.opened().into_iter().map(|p| p.into_bytes().to_vec()).collect();
    assert_eq!(opened, [vec![1; 48], vec![2; 20], vec![9; 16]]);
    batch.clear();
    assert!(batch.opened().is_empty());
}

#[test]
fn only_what_was_verified_and_accepted_can_be_delivered() {
    let (mut claim, session, _states) = session();
    let mut batch = Arrived::default();
    let good = seal(&mut claim, &[7; 32]);
    let mut forged = seal(&mut claim, &[8; 32]);
    forged[40] ^= 1;
    let mut foreign = seal(&mut claim, &[8; 32]);
    foreign[4] ^= 1;
    put(&mut batch, 0, &[good.clone(), forged, good, foreign]);
    put(&mut batch, 1, &[vec![1; 148]]);
    assign(&mut batch, &session);
    // Nothing is let through before the cipher has run.
    assert!(batch.opened().is_empty());
    batch.verify();
    assert!(batch.opened().is_empty());
    assert_eq!(settle(&mut batch), ["Accepted", "Refused", "Refused", "Stranger", "Control"]);
    assert_eq!(batch.opened().len(), 1);
    // Each is decided about once.
    assert_eq!(settle(&mut batch), ["Stranger"; 5]);
}

#[test]
fn an_unverified_message_is_taken_for_a_strangers() {
    let (mut claim, session, _states) = session();
    let mut batch = Arrived::default();
    put(&mut batch, 0, &[seal(&mut claim, &[7; 32])]);
    assign(&mut batch, &session);
    assert_eq!(settle(&mut batch), ["Stranger"]);
    assert!(batch.opened().is_empty());
}

#[test]
fn an_ended_session_opens_nothing() {
    let (mut claim, session, states) = session();
    let mut batch = Arrived::default();
    let early = seal(&mut claim, &[7; 32]);
    put(&mut batch, 0, &[early, seal(&mut claim, &[7; 32])]);
    assign(&mut batch, &session);
    batch.verify();
    drop(states);
    assert_eq!(settle(&mut batch), ["Refused"; 2]);
    assert!(batch.opened().is_empty());
}

#[test]
fn what_is_too_short_or_of_another_kind_is_no_transport_message() {
    for message in [&[4, 0, 0, 0, 1, 2, 3, 4][..], &[4; 40], &[1; 148], &[]] {
        assert_eq!(transport_index(message), None);
    }
    let mut message = [0; 32];
    message[..8].copy_from_slice(&[4, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(transport_index(&message), Some(0x0403_0201));
    assert_eq!(transport_index(&message[..31]), None);
}

#[test]
fn nothing_comes_from_where_nobody_can_be_answered() {
    let mut batch = Arrived::default();
    batch.filled(0, 148, 148, (from(0), None));
    batch.filled(1, 148, 148, (from(1), None));
    assert_eq!((batch.count(), batch.from(0)), (1, from(1)));
}
