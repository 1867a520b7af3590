//! Which peer a session index in a received message belongs to.
use crate::peer::Peer;
use gotatun::noise::index_table::IndexTable;
use gotatun::noise::transport::Transport;
use gotatun::packet::WgKind;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// Our own indices: each was put into a handshake message that we sent.
pub struct IndexMap {
    table: IndexTable,
    peers: Mutex<HashMap<u32, Entry>>,
}

struct Entry {
    peer: Arc<Peer>,
    /// The session, once one was made of the handshake. It ends when its peer says so, whoever knows it here.
    session: Weak<Transport>,
}

impl Default for IndexMap {
    fn default() -> Self {
        Self { table: IndexTable::from_os_rng(), peers: Mutex::default() }
    }
}

impl IndexMap {
    /// Where the sessions of all peers take their indices from.
    pub fn table(&self) -> IndexTable {
        self.table.clone()
    }

    /// Note the index that a handshake message of ours announces to the peer.
    pub fn learn(&self, message: &WgKind, peer: &Arc<Peer>) {
        match message {
            WgKind::HandshakeInit(m) => self.learn_index(m.sender_idx.get(), peer),
            WgKind::HandshakeResp(m) => self.learn_index(m.sender_idx.get(), peer),
            WgKind::CookieReply(_) | WgKind::Data(_) => {}
        }
    }

    /// The same by number.
    pub fn learn_index(&self, index: u32, peer: &Arc<Peer>) {
        peer.indices.lock().push(index);
        self.peers.lock().insert(index, Entry { peer: Arc::clone(peer), session: Weak::new() });
    }

    /// Whom a handshake message of this index is from.
    pub fn find(&self, index: u32) -> Option<Arc<Peer>> {
        self.peers.lock().get(&index).map(|entry| Arc::clone(&entry.peer))
    }

    /// The session of this index and its peer, while it lives.
    pub fn session(&self, index: u32) -> Option<(Arc<Peer>, Arc<Transport>)> {
        let peer = {
            let peers = self.peers.lock();
            let entry = peers.get(&index)?;
            if let Some(session) = entry.session.upgrade() {
                return Some((Arc::clone(&entry.peer), session));
            }
            Arc::clone(&entry.peer)
        };
        let session = Arc::clone(peer.lock().tunn.transport_of(index)?);
        if let Some(entry) = self.peers.lock().get_mut(&index)
            && Arc::ptr_eq(&entry.peer, &peer)
        {
            entry.session = Arc::downgrade(&session);
        }
        Some((peer, session))
    }

    /// Forget a peer's indices whose sessions are no more. Its handshakes are held up meanwhile by whoever calls this.
    pub fn tidy(&self, peer: &Peer) {
        let mut own = peer.indices.lock();
        if own.iter().all(|index| self.table.in_use(*index)) {
            return;
        }
        let mut peers = self.peers.lock();
        own.retain(|index| {
            let lives = self.table.in_use(*index);
            if !lives && peers.get(index).is_some_and(|entry| std::ptr::eq(&*entry.peer, peer)) {
                peers.remove(index);
            }
            lives
        });
    }

    /// Forget the indices of sessions and of peers that are no more.
    pub fn purge(&self, present: impl Fn(&Arc<Peer>) -> bool) {
        self.peers.lock().retain(|index, entry| self.table.in_use(*index) && present(&entry.peer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PeerState;
    use crate::peer::tests::identity;
    use std::time::Instant;

    fn peer(map: &IndexMap) -> (Arc<Peer>, WgKind, u32) {
        let other = identity(2).public.to_bytes();
        let mut state = PeerState::new(&identity(1), &other, None, map.table(), None);
        state.set_endpoint("192.0.2.1:1".parse().unwrap());
        let init = state.kick(Instant::now()).unwrap();
        let index = init.sender_idx.get();
        (Peer::new(other, state), init.into(), index)
    }

    #[test]
    fn an_index_names_its_peer_until_the_session_ends() {
        let map = IndexMap::default();
        let (peer, init, index) = peer(&map);
        assert!(map.find(index).is_none());
        map.learn(&init, &peer);
        map.purge(|_| true);
        assert!(Arc::ptr_eq(&map.find(index).unwrap(), &peer));
        peer.lock().tunn.reset();
        map.purge(|_| true);
        assert!(map.find(index).is_none());
    }

    #[test]
    fn a_removed_peer_is_forgotten() {
        let map = IndexMap::default();
        let (peer, init, index) = peer(&map);
        map.learn(&init, &peer);
        map.purge(|_| false);
        assert!(map.find(index).is_none());
        assert_eq!(Arc::strong_count(&peer), 1);
    }
}
