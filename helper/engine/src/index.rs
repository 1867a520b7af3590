//! Which peer a session index in a received message belongs to.
use crate::peer::Peer;
use gotatun::noise::index_table::IndexTable;
use gotatun::packet::WgKind;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Our own indices: each was put into a handshake message that we sent.
pub struct IndexMap {
    table: IndexTable,
    peers: Mutex<HashMap<u32, Arc<Peer>>>,
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
        let index = match message {
            WgKind::HandshakeInit(m) => m.sender_idx.get(),
            WgKind::HandshakeResp(m) => m.sender_idx.get(),
            WgKind::CookieReply(_) | WgKind::Data(_) => return,
        };
        self.peers.lock().insert(index, Arc::clone(peer));
    }

    pub fn find(&self, index: u32) -> Option<Arc<Peer>> {
        self.peers.lock().get(&index).cloned()
    }

    /// Forget the indices of sessions that are no more.
    pub fn purge(&self) {
        self.peers.lock().retain(|index, _| self.table.in_use(*index));
    }

    /// Forget all indices of one peer.
    pub fn forget(&self, peer: &Arc<Peer>) {
        self.peers.lock().retain(|_, p| !Arc::ptr_eq(p, peer));
    }
}
