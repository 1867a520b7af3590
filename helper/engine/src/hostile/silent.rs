//! Packets for peers that never answer.
use crate::peer::PeerState;
use crate::peer::tests::identity;
use gotatun::noise::TunnResult;
use gotatun::noise::index_table::IndexTable;
use gotatun::packet::{Packet, WgKind};
use gotatun::tun::MtuWatcher;
use std::time::Instant;

const PEERS: usize = 200;
const EACH: usize = 100;
const LENGTH: usize = 1408;

/// Sends `count` packets; gives the initiation that the first brings about.
fn send(state: &mut PeerState, count: usize) -> WgKind {
    let packet = || Packet::copy_from(&[0; LENGTH][..]);
    let first = state.tunn.handle_outgoing_packet(packet(), None).unwrap();
    (1..count).for_each(|_| assert!(state.tunn.handle_outgoing_packet(packet(), None).is_none()));
    first
}

#[test]
fn they_take_bounded_memory_and_each_peers_first_is_kept() {
    let (mine, theirs) = (identity(1), identity(2));
    let table = IndexTable::from_os_rng();
    let all = mine.room.left();
    let new = || PeerState::new(&mine, theirs.public.as_bytes(), None, table.clone(), None);
    let mut peers: Vec<_> = (0..PEERS).map(|_| new()).collect();
    for state in &mut peers {
        send(state, EACH);
    }
    assert!(all < PEERS * EACH * LENGTH && mine.room.left() < 2 * LENGTH, "more than enough was sent");
    // One that answers, though there is no room left for it.
    let mut last = new();
    let init = send(&mut last, 9);
    let mut far = PeerState::new(&theirs, mine.public.as_bytes(), None, IndexTable::from_os_rng(), None);
    let TunnResult::WriteToNetwork(answer) = far.receive(init, Instant::now()) else { panic!() };
    assert!(matches!(last.receive(answer, Instant::now()), TunnResult::WriteToNetwork(WgKind::Data(_))));
    assert_eq!(last.tunn.get_queued_packets(&mut MtuWatcher::new(1420)).count(), 1);
    peers.clear();
    assert_eq!(mine.room.left(), all);
}
