//! States → bytes.
use std::fmt::{self, Write};

use zeroize::Zeroizing;

use super::device::{DeviceState, PeerState};

/// The end of every answer; `code` is 0 or a positive errno, which goes out negative as wireguard-go sends it.
pub fn errno(code: i32) -> String {
    format!("errno={}\n\n", -code.saturating_abs())
}

/// The answer to `get=1` without its end.
pub fn format_state(state: &DeviceState) -> Zeroizing<String> {
    // Made large enough at once: growing would leave copies of the key behind.
    let nets = state.peers.iter().map(|peer| peer.allowed_ips.len()).sum::<usize>();
    let mut text = Zeroizing::new(String::with_capacity(256 + 512 * state.peers.len() + 64 * nets));
    write_state(&mut text, state).expect("a String takes everything");
    text
}

fn write_state(text: &mut String, state: &DeviceState) -> fmt::Result {
    if let Some(key) = &state.private_key {
        write_key(text, "private_key", key.bytes())?;
    }
    if state.listen_port != 0 {
        writeln!(text, "listen_port={}", state.listen_port)?;
    }
    if state.fwmark != 0 {
        writeln!(text, "fwmark={}", state.fwmark)?;
    }
    state.peers.iter().try_for_each(|peer| write_peer(text, peer))
}

fn write_peer(text: &mut String, peer: &PeerState) -> fmt::Result {
    write_key(text, "public_key", &peer.public_key)?;
    write_key(text, "preshared_key", peer.preshared_key.as_ref().map_or(&[0; 32], |key| key.bytes()))?;
    writeln!(text, "protocol_version=1")?;
    if let Some(endpoint) = peer.endpoint {
        writeln!(text, "endpoint={endpoint}")?;
    }
    let handshake = peer.last_handshake.unwrap_or_default();
    writeln!(text, "last_handshake_time_sec={}", handshake.as_secs())?;
    writeln!(text, "last_handshake_time_nsec={}", handshake.subsec_nanos())?;
    writeln!(text, "tx_bytes={}", peer.tx_bytes)?;
    writeln!(text, "rx_bytes={}", peer.rx_bytes)?;
    writeln!(text, "persistent_keepalive_interval={}", peer.keepalive)?;
    peer.allowed_ips.iter().try_for_each(|net| writeln!(text, "allowed_ip={}/{}", net.ip(), net.prefix()))
}

fn write_key(text: &mut String, name: &str, key: &[u8; 32]) -> fmt::Result {
    write!(text, "{name}=")?;
    key.iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
    text.write_char('\n')
}
