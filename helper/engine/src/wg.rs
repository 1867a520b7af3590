//! What `wg` sees of an engine, and changes.
use crate::control::Core;
use crate::uapi::{Device, DeviceState, PeerState, Secret, SetRequest};
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

impl Device for Core {
    fn get(&self) -> DeviceState {
        let control = self.control.lock();
        let peers = control.peers.values().map(|peer| {
            let state = peer.lock();
            let since_epoch = |t: SystemTime| t.duration_since(SystemTime::UNIX_EPOCH).ok();
            PeerState {
                public_key: peer.key,
                preshared_key: state.tunn.preshared_key().map(Secret::new),
                endpoint: state.endpoint(),
                last_handshake: state.last_handshake.and_then(since_epoch),
                tx_bytes: peer.tx_bytes.load(Relaxed),
                rx_bytes: peer.rx_bytes.load(Relaxed),
                keepalive: state.keepalive().unwrap_or(0),
                allowed_ips: control.allowed.of(&peer.key).map(Into::into).collect(),
            }
        });
        DeviceState {
            private_key: control.private.as_ref().map(Into::into),
            listen_port: self.listen_port(),
            fwmark: control.binding.fwmark,
            peers: peers.collect(),
        }
    }

    fn set(&self, request: SetRequest) -> Result<(), i32> {
        let mut control = self.control.lock();
        let errno = |e: io::Error| match e.kind() {
            io::ErrorKind::InvalidInput => libc::EINVAL,
            _ => e.raw_os_error().unwrap_or(libc::EIO),
        };
        self.change(&mut control, request, None).map_err(errno)
    }
}
