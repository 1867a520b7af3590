//! Addresses as people write them.
use crate::sys::interface_index;
use std::net::{SocketAddr, SocketAddrV6};

/// An endpoint from an address as people write it: `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`, `fe80::1%2`.
pub fn parse_ip(text: &str, port: u16) -> Option<SocketAddr> {
    let Some((ip, scope)) = text.split_once('%') else {
        return Some(SocketAddr::new(text.parse().ok()?, port));
    };
    let scope = scope.parse().ok().or_else(|| interface_index(scope))?;
    Some(SocketAddrV6::new(ip.parse().ok()?, port, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_with_and_without_a_scope() {
        for (text, shown) in [
            ("192.0.2.1", "192.0.2.1:7"),
            ("2001:db8::1", "[2001:db8::1]:7"),
            ("fe80::1%3", "[fe80::1%3]:7"),
            #[cfg(target_os = "linux")]
            ("fe80::1%lo", "[fe80::1%1]:7"),
        ] {
            assert_eq!(parse_ip(text, 7).unwrap().to_string(), shown);
        }
        for bad in ["", "host", "[::1]", "192.0.2.1%lo", "fe80::1%", "fe80::1%nosuch"] {
            assert_eq!(parse_ip(bad, 7), None, "{bad}");
        }
    }
}
