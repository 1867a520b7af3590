//! What must hold for batches of datagrams that are opened where they stand: shared by the fuzz target and by its short sample
//! in `cargo test`.
use super::steps::{Agreed, agreed, damage, steps};
use slopn_engine::arrived::{Arrived, BUFFERS, LARGEST, Taken};
use slopn_engine::gotatun::noise::transport::{Claim, HEADER, TAG};
use slopn_engine::peer::{Peer, PeerState};
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Messages that one input may send.
const MESSAGES: usize = 512;

thread_local! {
    /// Goes round, as in the engine: what an earlier batch has left in it must not show.
    static BATCH: RefCell<Arrived> = RefCell::default();
}

/// A client's session at a server, and what is on its way.
struct World {
    client: Claim,
    server: Arc<Peer>,
    index: u32,
    /// Each genuine message, what it says, and whether the server has taken it.
    sent: HashMap<Vec<u8>, (Vec<u8>, bool)>,
    order: Vec<Vec<u8>>,
    /// Buffers that the kernel has filled, and the length of the datagrams in each.
    filled: Vec<(Vec<u8>, usize)>,
    current: Vec<u8>,
    first: usize,
    ended: bool,
    _far: PeerState,
}

/// Reads `bytes` as steps: a kind, a length, and that many bytes.
///
/// # Panics
/// When anything would go to the TUN but what the client has sent, once, in order and unchanged; or when that would not.
pub fn check(bytes: &[u8]) {
    let mut world = World::new();
    steps(bytes, |kind, value| match kind % 8 {
        0 | 1 => world.data(value),
        2 => world.again(value),
        3 => world.damaged(value),
        4 => world.put(value),
        5 => world.next_buffer(value.first().map_or(0, |n| usize::from(*n))),
        6 => world.arrives(value),
        _ => world.ends(value),
    });
    world.arrives(&[]);
}

impl World {
    fn new() -> Self {
        let Agreed { client, server, identities: [mine, _] } = agreed(Instant::now());
        let index = server.tunn.transport().expect("it was used").index();
        Self {
            client: client.tunn.transport().and_then(|session| session.claim(MESSAGES)).expect("it is fresh"),
            server: Peer::new(*mine.public.as_bytes(), server),
            index,
            sent: HashMap::new(),
            order: Vec::new(),
            filled: Vec::new(),
            current: Vec::new(),
            first: 0,
            ended: false,
            _far: client,
        }
    }

    /// The client says this.
    fn data(&mut self, plain: &[u8]) {
        let mut message = [&[0; HEADER][..], plain, &[0; TAG]].concat();
        if self.client.seal(&mut message) {
            self.sent.insert(message.clone(), (plain.to_vec(), false));
            self.order.push(message.clone());
            self.put(&message);
        }
    }

    /// One of its messages once more.
    fn again(&mut self, value: &[u8]) {
        if let Some(message) = self.pick(value) {
            self.put(&message);
        }
    }

    /// The same, with a byte changed or its end cut off.
    fn damaged(&mut self, value: &[u8]) {
        let Some(mut message) = self.pick(value) else { return };
        damage(&mut message, value.get(1..).unwrap_or_default());
        self.put(&message);
    }

    fn pick(&self, value: &[u8]) -> Option<Vec<u8>> {
        let at = usize::from(*value.first()?) % self.order.len().max(1);
        self.order.get(at).cloned()
    }

    /// A datagram like any other.
    fn put(&mut self, datagram: &[u8]) {
        if self.current.len() + datagram.len() > LARGEST {
            self.next_buffer(0);
        }
        if self.current.is_empty() {
            self.first = datagram.len();
        }
        self.current.extend_from_slice(datagram);
    }

    /// The kernel has joined what there is so far: datagrams of `length`; 0: as long as the first.
    fn next_buffer(&mut self, length: usize) {
        if self.current.is_empty() {
            return;
        }
        if self.filled.len() == BUFFERS {
            self.open(true, &[]);
        }
        let length = if length == 0 { self.first } else { length };
        self.filled.push((std::mem::take(&mut self.current), length.max(1)));
    }

    /// All of it comes at once.
    fn arrives(&mut self, cut: &[u8]) {
        self.next_buffer(0);
        self.open(true, cut);
    }

    /// The session goes: before the cipher runs over what has come, or behind that.
    fn ends(&mut self, value: &[u8]) {
        self.next_buffer(0);
        let before = value.first().is_some_and(|first| first % 2 == 0);
        if before {
            self.end();
        }
        self.open(before, &[]);
        self.end();
    }

    fn end(&mut self) {
        self.server.lock().tunn.reset();
        self.ended = true;
    }

    /// What the engine does with a batch; `cut`: how much of each packet is kept. Unless it `lives`, the session ends between
    /// the cipher and the verdict.
    fn open(&mut self, lives: bool, cut: &[u8]) {
        let filled = std::mem::take(&mut self.filled);
        BATCH.with_borrow_mut(|batch| {
            batch.clear();
            assert!(batch.count() == 0 && batch.opened().is_empty());
            let mut chunks = vec![];
            for (number, (bytes, length)) in filled.iter().enumerate() {
                batch.buffers()[number][..bytes.len()].copy_from_slice(bytes);
                let from = SocketAddr::from(([192, 0, 2, number as u8], 1));
                batch.filled(number, bytes.len(), *length, (from, None));
                chunks.extend(bytes.chunks(*length).map(|chunk| (from, chunk)));
            }
            assert_eq!(batch.count(), chunks.len());
            batch.assign(|index| {
                let session = self.server.lock().tunn.transport_of(index).cloned();
                assert!(session.is_none() || index == self.index, "another's session");
                session.map(|session| (Arc::clone(&self.server), session))
            });
            batch.verify();
            assert!(batch.opened().is_empty(), "delivered before the verdict");
            if !lives {
                self.end();
            }
            let mut expected = vec![];
            for (i, (from, chunk)) in chunks.iter().enumerate() {
                assert_eq!((batch.from(i), batch.len_of(i)), (*from, chunk.len()));
                let genuine = self.sent.get_mut(*chunk).filter(|(_, taken)| !taken && !self.ended);
                match (batch.take(i), genuine) {
                    (Taken::Accepted(_), Some((plain, taken))) => {
                        *taken = true;
                        assert_eq!(batch.content(i), plain);
                        let keep = cut.get(i % cut.len().max(1)).map_or(usize::MAX >> 1, |n| usize::from(*n));
                        batch.truncate(i, keep);
                        batch.clamp_mss(i, 0);
                        expected.push(plain[..keep.min(plain.len())].to_vec());
                    }
                    (Taken::Accepted(_), None) => panic!("a forged or repeated message was taken"),
                    (_, Some(_)) => panic!("a genuine message was not taken"),
                    (Taken::Control(bytes), None) => assert_eq!(bytes, *chunk),
                    (Taken::Stranger | Taken::Refused(..), None) => {}
                }
            }
            expected.retain(|plain| !plain.is_empty());
            let opened: Vec<_> = batch.opened().into_iter().map(|packet| packet.into_bytes().to_vec()).collect();
            assert_eq!(opened, expected);
        });
    }
}
