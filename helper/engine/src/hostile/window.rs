//! The replay window and very many renewals, on the engine's own state machine.
use crate::peer::PeerState;
use crate::peer::tests::identity;
use gotatun::noise::TunnResult;
use gotatun::noise::index_table::IndexTable;
use gotatun::packet::{Packet, WgKind};
use std::time::Instant;

/// Messages that may be behind the newest one, as in Linux.
const WINDOW: usize = 8192;

struct Pair {
    client: PeerState,
    server: PeerState,
    now: Instant,
    indices: IndexTable,
}

impl Pair {
    fn new() -> Self {
        let (mine, theirs) = (identity(1), identity(2));
        let indices = IndexTable::from_os_rng();
        let client = PeerState::new(&mine, theirs.public.as_bytes(), None, IndexTable::from_os_rng(), None);
        let server = PeerState::new(&theirs, mine.public.as_bytes(), None, indices.clone(), None);
        Self { client, server, now: Instant::now(), indices }
    }

    /// A new session; gives the server's index of it.
    fn agree(&mut self) -> u32 {
        let init = self.client.tunn.format_handshake_initiation(true).unwrap();
        let TunnResult::WriteToNetwork(answer) = self.server.receive(init.into(), self.now) else { panic!() };
        let WgKind::HandshakeResp(message) = &answer else { panic!() };
        let index = message.sender_idx.get();
        let TunnResult::WriteToNetwork(first) = self.client.receive(answer, self.now) else { panic!() };
        assert!(matches!(self.server.receive(first, self.now), TunnResult::WriteToTunnel(p) if p.is_empty()));
        assert!(self.server.confirmed(index));
        index
    }

    fn seal(&mut self, n: usize) -> Vec<u8> {
        let plain = Packet::copy_from(&n.to_be_bytes()[..]);
        self.client.tunn.encapsulate_with_session(plain).unwrap().into_bytes().to_vec()
    }

    fn takes(&mut self, datagram: &[u8]) -> bool {
        let message = Packet::copy_from(datagram).try_into_wg().unwrap();
        matches!(self.server.receive(message, self.now), TunnResult::WriteToTunnel(_))
    }
}

#[test]
fn messages_in_any_order_are_taken_once_within_the_window() {
    let mut pair = Pair::new();
    pair.agree();
    let all: Vec<_> = (0..WINDOW + 2).map(|n| pair.seal(n)).collect();
    // The newest first, then backwards.
    for (n, datagram) in all.iter().enumerate().rev() {
        // The keepalive of the handshake was the first; one is too old, whatever the window's exact rim.
        assert_eq!(pair.takes(datagram), n >= 2, "{n}");
    }
    assert!(all.iter().all(|datagram| !pair.takes(datagram)));
    let next = pair.seal(0);
    assert!(pair.takes(&next) && !pair.takes(&next));
}

/// `REKEYS=65536` makes it longer; the engine's `make soak` does.
#[test]
fn renewals_without_number_leave_nothing_behind() {
    let rekeys = std::env::var("REKEYS").map_or(300, |n| n.parse().unwrap());
    let mut pair = Pair::new();
    let mut old = vec![];
    for n in 0..rekeys {
        let index = pair.agree();
        assert!(pair.indices.in_use(index));
        let datagram = pair.seal(n);
        assert!(pair.takes(&datagram), "after {n} renewals");
        old.push((index, datagram));
        if old.len() > 10 {
            let (index, datagram) = old.remove(0);
            assert!(!pair.indices.in_use(index), "a session that was replaced long ago is still there");
            assert!(!pair.takes(&datagram));
        }
    }
}
