//! A peer that asks for more echoes than anybody needs.
use crate::echo::Echo;
use crate::paths::{Heard, has_room};
use crate::peer::Peer;
use crate::peer::tests::state;
use std::sync::Arc;
use std::time::Instant;

#[test]
fn it_keeps_no_other_peer_from_being_answered() {
    let peers: Vec<_> = (0..20).map(|n| Peer::new([n; 32], state(false))).collect();
    let (from, to) = ("10.0.0.2".parse().unwrap(), "10.0.0.1".parse().unwrap());
    let echo = Echo { from, to, is_reply: false, token: 1, limit: 0 };
    let mut heard: Vec<Heard> = vec![];
    let mut flood = |peer: &Arc<Peer>| {
        let before = heard.len();
        for _ in 0..1000 {
            if has_room(&heard, peer) {
                heard.push((Arc::clone(peer), echo, Instant::now()));
            }
        }
        heard.len() - before
    };
    assert!((1..100).contains(&flood(&peers[0])));
    assert!(flood(&peers[1]) > 0);
    assert!(peers.iter().map(flood).sum::<usize>() < 1000, "and all of them together are bounded");
}
