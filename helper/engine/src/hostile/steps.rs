//! What hostile inputs have in common: how their bytes are read, and the session that they are played to.
use slopn_engine::gotatun::noise::TunnResult;
use slopn_engine::gotatun::noise::index_table::IndexTable;
use slopn_engine::key::Secret;
use slopn_engine::peer::{Identity, PeerState};
use std::sync::OnceLock;
use std::time::Instant;

/// A client and a server that have a session.
pub struct Agreed {
    pub client: PeerState,
    pub server: PeerState,
    /// The client's and the server's.
    pub identities: &'static [Identity; 2],
}

/// Reads `bytes` as steps: a kind, a length, and that many bytes.
pub fn steps(bytes: &[u8], mut step: impl FnMut(u8, &[u8])) {
    let mut rest = bytes;
    while let [kind, len, more @ ..] = rest {
        let (value, more) = more.split_at(more.len().min(usize::from(*len)));
        rest = more;
        step(*kind, value);
    }
}

/// A handshake without loss.
pub fn agreed(now: Instant) -> Agreed {
    static IDENTITIES: OnceLock<[Identity; 2]> = OnceLock::new();
    let identities = IDENTITIES.get_or_init(|| [1, 2].map(|n| Identity::new(&Secret([n; 32]))));
    let [mine, theirs] = identities;
    let table = IndexTable::from_os_rng;
    let mut client = PeerState::new(mine, theirs.public.as_bytes(), None, table(), None);
    let mut server = PeerState::new(theirs, mine.public.as_bytes(), None, table(), None);
    let init = client.tunn.format_handshake_initiation(true).expect("nothing is under way");
    let TunnResult::WriteToNetwork(answer) = server.receive(init.into(), now) else { panic!("not answered") };
    let TunnResult::WriteToNetwork(first) = client.receive(answer, now) else { panic!("not agreed") };
    assert!(matches!(server.receive(first, now), TunnResult::WriteToTunnel(p) if p.is_empty()));
    Agreed { client, server, identities }
}

/// A byte changed, or the end cut off.
pub fn damage(datagram: &mut Vec<u8>, value: &[u8]) {
    match *value {
        [at, change, ..] => {
            let at = usize::from(at) % datagram.len();
            datagram[at] ^= change;
        }
        [len] => datagram.truncate(usize::from(len)),
        [] => {}
    }
}
