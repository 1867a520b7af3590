//! The whole desired state of an engine, and the change that brings it about.
use crate::key::{PublicKey, Secret};
use crate::prefix::Prefix;
use crate::uapi::{PeerChange, SetRequest};
use std::collections::HashSet;
use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub struct Config {
    pub private_key: Secret,
    /// None: any.
    pub listen_port: Option<u16>,
    pub fwmark: Option<u32>,
    /// Name of the interface that the sockets are bound to.
    pub bind_device: Option<String>,
    pub peers: Vec<PeerConfig>,
}

#[derive(Clone, Debug)]
pub struct PeerConfig {
    pub public_key: PublicKey,
    /// None: where the peer is already, or will be heard from.
    pub endpoint: Option<SocketAddr>,
    /// Other addresses of the same peer: they are called as well while `endpoint` is silent, or can't be reached.
    pub alternatives: Vec<SocketAddr>,
    /// A prefix that two peers claim goes to the later one.
    pub allowed_ips: Vec<Prefix>,
    pub preshared_key: Option<Secret>,
    /// Seconds; None or 0: off.
    pub keepalive: Option<u16>,
}

impl Config {
    /// What to change when the peers are `present`: those that stay are updated in place, so their sessions live on.
    pub fn as_change(&self, present: impl Iterator<Item = PublicKey>) -> SetRequest {
        let wanted: HashSet<_> = self.peers.iter().map(|p| p.public_key).collect();
        let gone: Vec<_> = present.filter(|key| !wanted.contains(key)).collect();
        SetRequest {
            private_key: Some(Some((&self.private_key).into())),
            listen_port: Some(self.listen_port.unwrap_or(0)),
            fwmark: Some(self.fwmark.unwrap_or(0)),
            replace_peers: false,
            peers: as_changes(&gone, &self.peers),
        }
    }
}

/// Removals first, so that a prefix of a peer that goes can be another's.
pub fn as_changes(remove: &[PublicKey], put: &[PeerConfig]) -> Vec<PeerChange> {
    let removals = remove.iter().map(|key| PeerChange { public_key: *key, remove: true, ..PeerChange::default() });
    removals.chain(put.iter().map(PeerConfig::as_change)).collect()
}

impl PeerConfig {
    fn as_change(&self) -> PeerChange {
        PeerChange {
            public_key: self.public_key,
            remove: false,
            update_only: false,
            preshared_key: Some(self.preshared_key.as_ref().map(Into::into)),
            endpoint: self.endpoint,
            alternatives: self.alternatives.clone(),
            keepalive: Some(self.keepalive.unwrap_or(0)),
            replace_allowed_ips: true,
            allowed_ips: self.allowed_ips.iter().map(|p| (true, (*p).into())).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_peers_are_removed_first_and_present_ones_updated_in_place() {
        let peer = |n: u8| PeerConfig {
            public_key: [n; 32],
            endpoint: None,
            alternatives: vec![],
            allowed_ips: vec!["10.0.0.1".parse().unwrap()],
            preshared_key: None,
            keepalive: None,
        };
        let config = Config {
            private_key: Secret([9; 32]),
            listen_port: None,
            fwmark: Some(5),
            bind_device: None,
            peers: vec![peer(2), peer(3)],
        };
        let change = config.as_change([[1; 32], [2; 32]].into_iter());
        let shape: Vec<_> = change.peers.iter().map(|p| (p.public_key[0], p.remove)).collect();
        assert_eq!(shape, [(1, true), (2, false), (3, false)]);
        assert!(!change.replace_peers);
        assert_eq!((change.listen_port, change.fwmark), (Some(0), Some(5)));
        assert_eq!(change.peers[1].preshared_key, Some(None));
        assert!(change.peers[1].replace_allowed_ips);
    }
}
