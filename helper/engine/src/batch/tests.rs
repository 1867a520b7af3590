use super::*;
use crate::peer::PeerState;
use crate::peer::tests::{identity, pair};
use gotatun::noise::index_table::IndexTable;
use gotatun::noise::transport::Transport;
use std::ops::Deref;

/// A read of the TUN without offloads: an IPv4 packet of this length, filled with `fill`.
fn read(length: usize, fill: u8) -> Vec<u8> {
    let mut packet = vec![fill; 10 + length];
    packet[..10].fill(0);
    packet[10..30].fill(0);
    packet[10] = 0x45;
    packet[12..14].copy_from_slice(&(length as u16).to_be_bytes());
    packet
}

/// The other end of a session, which lives as long as its tunnel.
struct Far(PeerState);

impl Deref for Far {
    type Target = Transport;

    fn deref(&self) -> &Transport {
        self.0.tunn.transport().unwrap()
    }
}

/// A peer with a session, and the other end of that.
fn peers() -> (Arc<Peer>, Far) {
    let (mut a, b) = pair();
    a.set_endpoint("192.0.2.1:1".parse().unwrap());
    (Peer::new([2; 32], a), Far(b))
}

fn contents(sealed: &Sealed, far: &Transport) -> Vec<Vec<u8>> {
    let open = |i| {
        let mut message = sealed.get(i).0.to_vec();
        let content = far.accept(far.verify(&mut message).unwrap()).unwrap();
        message[content].to_vec()
    };
    (0..sealed.count()).map(open).collect()
}

#[test]
fn packets_are_sealed_where_they_stand_and_padded_to_16_bytes_within_the_mtu() {
    let (peer, far) = peers();
    let mut batch = Plain::default();
    for (length, fill) in [(40, 1), (100, 2), (64, 3)] {
        batch.add(&peer, &mut read(length, fill), 100).unwrap();
    }
    assert_eq!(batch.count(), 3);
    batch.claim(|_, _| panic!("there is a session"));
    let sealed = batch.seal();
    let opened = contents(&sealed, &far);
    assert_eq!(opened.iter().map(Vec::len).collect::<Vec<_>>(), [48, 100, 64]);
    for (packet, (length, fill)) in opened.iter().zip([(40, 1), (100, 2), (64, 3)]) {
        assert_eq!(packet[..length], read(length, fill)[10..]);
        assert!(packet[length..].iter().all(|byte| *byte == 0));
    }
    assert!(sealed.get(0).0[16..56] != opened[0][..40]);
    assert_eq!(sealed.get(0).1, "192.0.2.1:1".parse().unwrap());
}

#[test]
fn what_has_no_session_is_held_and_never_in_what_is_sent() {
    let (ready, far) = peers();
    let state = PeerState::new(&identity(1), identity(3).public.as_bytes(), None, IndexTable::from_os_rng(), None);
    let without = Peer::new([3; 32], state);
    let mut batch = Plain::default();
    batch.add(&ready, &mut read(32, 1), 1420).unwrap();
    batch.add(&without, &mut read(48, 2), 1420).unwrap();
    batch.add(&without, &mut read(64, 3), 1420).unwrap();
    batch.add(&ready, &mut read(80, 4), 1420).unwrap();
    let mut held = vec![];
    batch.claim(|peer, packets| {
        assert!(Arc::ptr_eq(peer, &without));
        held.extend(packets.map(<[u8]>::len));
    });
    assert_eq!(held, [48, 64]);
    let sealed = batch.seal();
    assert_eq!(contents(&sealed, &far).iter().map(Vec::len).collect::<Vec<_>>(), [32, 80]);
    let runs: Vec<_> = sealed.runs().map(|(peer, messages)| (peer.key[0], messages)).collect();
    assert_eq!(runs, [(2, 0..1), (3, 1..1), (2, 1..2)]);
}

#[test]
fn an_unclaimed_batch_seals_to_nothing_and_a_recycled_one_is_empty() {
    let (peer, _far) = peers();
    let mut batch = Plain::default();
    batch.add(&peer, &mut read(40, 1), 1420).unwrap();
    let sealed = batch.seal();
    assert_eq!(sealed.count(), 0);
    let again = sealed.recycle();
    assert_eq!(again.count(), 0);
    assert_eq!(again.seal().runs().count(), 0);
    // Nobody but us holds the peer any more.
    assert_eq!(Arc::strong_count(&peer), 1);
}

#[test]
fn a_read_that_contradicts_itself_adds_nothing() {
    let (peer, _far) = peers();
    let mut batch = Plain::default();
    assert!(batch.add(&peer, &mut [0; 12], 1420).is_err());
    assert_eq!(batch.count(), 0);
    assert_eq!(batch.seal().runs().count(), 0);
}
