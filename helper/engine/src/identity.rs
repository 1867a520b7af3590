//! Who we are to all peers.
use crate::key::Secret;
use crate::limiter::Limiter;
use gotatun::noise::waiting::Room;
use gotatun::x25519::StaticSecret;
use std::sync::Arc;

/// Bytes of packets that may wait for sessions, of all peers together; the first of each may beside that.
const WAITING: usize = 16 << 20;

/// Our own key pair, the guard before the handshakes that name it, and the room for what waits for these.
pub struct Identity {
    pub private: StaticSecret,
    pub public: gotatun::x25519::PublicKey,
    pub limiter: Limiter,
    pub room: Arc<Room>,
}

impl Identity {
    pub fn new(private: &Secret) -> Self {
        let private = StaticSecret::from(private.0);
        let public = gotatun::x25519::PublicKey::from(&private);
        Self { limiter: Limiter::new(&public), room: Arc::new(Room::new(WAITING)), private, public }
    }
}
