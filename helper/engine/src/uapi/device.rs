//! What the protocol talks about.
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use ipnetwork::IpNetwork;
use zeroize::Zeroizing;

/// What `wg` reads and changes. Called from the server's thread, one request at a time.
pub trait Device: Send + Sync {
    fn get(&self) -> DeviceState;

    /// Applies all of `request`, in its order, or nothing.
    ///
    /// # Errors
    /// A positive errno, told to the client.
    fn set(&self, request: SetRequest) -> Result<(), i32>;
}

/// 32 secret bytes, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The answer to `get=1`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceState {
    pub private_key: Option<Secret>,
    /// 0: not chosen yet.
    pub listen_port: u16,
    /// 0: no mark.
    pub fwmark: u32,
    pub peers: Vec<PeerState>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerState {
    pub public_key: [u8; 32],
    pub preshared_key: Option<Secret>,
    pub endpoint: Option<SocketAddr>,
    /// Since the Unix epoch; `None`: never.
    pub last_handshake: Option<Duration>,
    pub tx_bytes: u64,
    pub rx_bytes: u64,
    /// Seconds; 0: off.
    pub keepalive: u16,
    pub allowed_ips: Vec<IpNetwork>,
}

/// What `set=1` asks for; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetRequest {
    /// `Some(None)` takes the key away.
    pub private_key: Option<Option<Secret>>,
    pub listen_port: Option<u16>,
    /// 0 takes the mark away.
    pub fwmark: Option<u32>,
    /// Remove every peer before `peers` are looked at.
    pub replace_peers: bool,
    /// In the request's order; the same key may come twice.
    pub peers: Vec<PeerChange>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerChange {
    pub public_key: [u8; 32],
    /// Remove this peer; the rest then means nothing.
    pub remove: bool,
    /// Do nothing unless the peer is there already.
    pub update_only: bool,
    /// `Some(None)` takes the key away.
    pub preshared_key: Option<Option<Secret>>,
    pub endpoint: Option<SocketAddr>,
    /// Other addresses, if there is an `endpoint`; the protocol knows of none.
    pub alternatives: Vec<SocketAddr>,
    /// Seconds; 0 turns it off.
    pub keepalive: Option<u16>,
    /// Remove every allowed IP before `allowed_ips` are looked at.
    pub replace_allowed_ips: bool,
    /// In order: `(true, net)` adds, `(false, net)` removes. Bits behind the prefix are 0.
    pub allowed_ips: Vec<(bool, IpNetwork)>,
}
