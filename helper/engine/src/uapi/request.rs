//! Bytes → requests.
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use ipnetwork::IpNetwork;
use zeroize::Zeroizing;

use super::device::{PeerChange, Secret, SetRequest};

/// Longest line: a key's name and 64 digits, or an address with a scope, and room.
pub(super) const MAX_LINE: usize = 256;
/// Longest request: over ten thousand peers.
pub(super) const MAX_REQUEST: usize = 4 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Get,
    Set(SetRequest),
}

/// Answered by EINVAL. Doesn't say what was wrong, since that may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not what the protocol allows; the next request may be fine.
    Request,
    /// Line or request too long: where the next one begins isn't known, so the client has to go.
    TooLong,
}

/// Index of a network interface by name, for the scope in `[fe80::1%eth0]:51820`.
pub type ScopeIndex = fn(&str) -> Option<u32>;

/// Collects bytes until a request is whole: an empty line ends it.
#[derive(Debug)]
pub struct Decoder {
    buffer: Zeroizing<Vec<u8>>,
    /// Where the line begins that isn't complete yet.
    line: usize,
    scope: ScopeIndex,
}

impl Decoder {
    pub fn new(scope: ScopeIndex) -> Self {
        Self { buffer: Zeroizing::default(), line: 0, scope }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole request; `None` until there is one.
    pub fn next_request(&mut self) -> Option<Result<Request, Malformed>> {
        loop {
            let rest = self.buffer.get(self.line..)?;
            let Some(length) = rest.iter().take(MAX_LINE + 1).position(|byte| *byte == b'\n') else {
                let too_long = rest.len() > MAX_LINE || self.line > MAX_REQUEST;
                return too_long.then_some(Err(Malformed::TooLong));
            };
            self.line += length + 1;
            if self.line > MAX_REQUEST {
                return Some(Err(Malformed::TooLong));
            }
            if length == 0 {
                let request = Zeroizing::new(self.buffer.drain(..self.line).collect::<Vec<_>>());
                self.line = 0;
                return Some(self.parse(&request).ok_or(Malformed::Request));
            }
        }
    }

    /// `request` ends with its empty line.
    fn parse(&self, request: &[u8]) -> Option<Request> {
        let text = std::str::from_utf8(request).ok()?.strip_suffix('\n')?;
        let mut lines = text.split_terminator('\n');
        match lines.next()? {
            "get=1" => lines.next().is_none().then_some(Request::Get),
            "set=1" => {
                let mut set = SetRequest::default();
                for line in lines {
                    let (key, value) = line.split_once('=')?;
                    apply(&mut set, key, value, self.scope)?;
                }
                Some(Request::Set(set))
            }
            _ => None,
        }
    }
}

/// One line; `None` when the key isn't known at this place or the value isn't one of its.
fn apply(set: &mut SetRequest, key: &str, value: &str, scope: ScopeIndex) -> Option<()> {
    if key == "public_key" {
        set.peers.push(PeerChange { public_key: key_bytes(value)?, ..PeerChange::default() });
        return Some(());
    }
    match set.peers.last_mut() {
        None => apply_device(set, key, value),
        Some(peer) => apply_peer(peer, key, value, scope),
    }
}

fn apply_device(set: &mut SetRequest, key: &str, value: &str) -> Option<()> {
    match key {
        "private_key" => set.private_key = Some(secret(value)?),
        "listen_port" => set.listen_port = Some(number(value)?),
        "fwmark" => set.fwmark = Some(number(value)?),
        "replace_peers" => set.replace_peers = yes(value)?,
        _ => return None,
    }
    Some(())
}

fn apply_peer(peer: &mut PeerChange, key: &str, value: &str, scope: ScopeIndex) -> Option<()> {
    match key {
        "remove" => peer.remove = yes(value)?,
        "update_only" => peer.update_only = yes(value)?,
        "preshared_key" => peer.preshared_key = Some(secret(value)?),
        "endpoint" => peer.endpoint = Some(endpoint(value, scope)?),
        "persistent_keepalive_interval" => peer.keepalive = Some(number(value)?),
        "replace_allowed_ips" => peer.replace_allowed_ips = yes(value)?,
        "allowed_ip" => match value.strip_prefix('-') {
            Some(value) => peer.allowed_ips.push((false, network(value)?)),
            None => peer.allowed_ips.push((true, network(value)?)),
        },
        "protocol_version" => return (value == "1").then_some(()),
        _ => return None,
    }
    Some(())
}

/// All zero means "none".
fn secret(value: &str) -> Option<Option<Secret>> {
    let bytes = Zeroizing::new(key_bytes(value)?);
    Some((*bytes != [0; 32]).then(|| Secret::new(*bytes)))
}

fn key_bytes(value: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, []) = value.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn yes(value: &str) -> Option<bool> {
    (value == "true").then_some(true)
}

/// Decimal digits alone: `parse` by itself would take a plus sign.
fn number<T: std::str::FromStr>(value: &str) -> Option<T> {
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}

fn network(value: &str) -> Option<IpNetwork> {
    let (address, length) = value.split_once('/')?;
    let net = IpNetwork::new(address.parse::<IpAddr>().ok()?, number(length)?).ok()?;
    IpNetwork::new(net.network(), net.prefix()).ok()
}

fn endpoint(value: &str, scope: ScopeIndex) -> Option<SocketAddr> {
    let (host, port) = value.rsplit_once(':')?;
    let port = number(port)?;
    let Some(host) = host.strip_prefix('[') else {
        return Some(SocketAddr::from((host.parse::<std::net::Ipv4Addr>().ok()?, port)));
    };
    let host = host.strip_suffix(']')?;
    let (host, scope) = match host.split_once('%') {
        None => (host, 0),
        Some((host, name)) => (host, number(name).or_else(|| scope(name))?),
    };
    Some(SocketAddrV6::new(host.parse::<Ipv6Addr>().ok()?, port, 0, scope).into())
}
