//! The packets that measure a path: an ICMP echo, made longer by WireGuard's padding alone.
//!
//! Whoever gets the request, another engine or any host behind any WireGuard, answers with a short reply: padding is cut
//! off before. So only the way there is measured, and neither an MTU at the far end nor the way back matters. This engine
//! answers requests with our mark by itself, at whatever address they ask: a gateway's firewall may drop pings.
use crate::offload::internet_checksum;
use std::net::IpAddr;

/// Nobody else's echo begins so.
const MARK: [u8; 8] = *b"\x8e\x1fslopn\xa7";
/// Mark, token, limit, and zeros up to a multiple of eight.
const PAYLOAD: usize = 24;
const ICMP: usize = 8 + PAYLOAD;
const V4: usize = 20 + ICMP;
const V6: usize = 40 + ICMP;

/// What one of them says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    pub from: IpAddr,
    pub to: IpAddr,
    pub is_reply: bool,
    pub token: u64,
    /// The longest packet that may be sent to who asks, inside the tunnel; 0: it doesn't know.
    pub limit: u16,
}

/// Bytes of a request between these addresses.
pub fn len(to: &IpAddr) -> usize {
    if to.is_ipv4() { V4 } else { V6 }
}

impl Echo {
    /// None: something else. Cheap for that.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let (from, to, icmp): (IpAddr, IpAddr, &[u8]) = match packet.len() {
            V4 if packet[0] == 0x45 && packet[9] == 1 && packet[6] & 0x3f == 0 && packet[7] == 0 => {
                let at = |i: usize| packet[i..i + 4].first_chunk::<4>().map(|a| IpAddr::from(*a));
                (at(12)?, at(16)?, &packet[20..])
            }
            V6 if packet[0] >> 4 == 6 && packet[6] == 58 => {
                let at = |i: usize| packet[i..i + 16].first_chunk::<16>().map(|a| IpAddr::from(*a));
                (at(8)?, at(24)?, &packet[40..])
            }
            _ => return None,
        };
        let is_reply = match (to.is_ipv4(), icmp[0], icmp[1]) {
            (true, 8, 0) | (false, 128, 0) => false,
            (true, 0, 0) | (false, 129, 0) => true,
            _ => return None,
        };
        if icmp[8..16] != MARK {
            return None;
        }
        let token = u64::from_be_bytes(*icmp[16..].first_chunk()?);
        let limit = u16::from_be_bytes(*icmp[24..].first_chunk()?);
        Some(Self { from, to, is_reply, token, limit })
    }

    /// The IP packet.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut icmp = [0u8; ICMP];
        icmp[0] = match (self.to.is_ipv4(), self.is_reply) {
            (true, true) => 0,
            (true, false) => 8,
            (false, true) => 129,
            (false, false) => 128,
        };
        icmp[8..16].copy_from_slice(&MARK);
        icmp[16..24].copy_from_slice(&self.token.to_be_bytes());
        icmp[24..26].copy_from_slice(&self.limit.to_be_bytes());
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let sum = internet_checksum(&[&icmp]);
                icmp[2..4].copy_from_slice(&sum);
                let mut packet = vec![0x45, 0, 0, V4 as u8, 0, 0, 0x40, 0, 64, 1, 0, 0];
                packet.extend(from.octets().into_iter().chain(to.octets()));
                let sum = internet_checksum(&[&packet]);
                packet[10..12].copy_from_slice(&sum);
                packet.extend(icmp);
                packet
            }
            (from, to) => {
                let octets = |ip: IpAddr| match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                    IpAddr::V6(ip) => ip.octets(),
                };
                let pseudo = [0, 0, 0, ICMP as u8, 0, 0, 0, 58];
                let sum = internet_checksum(&[&octets(from), &octets(to), &pseudo, &icmp]);
                icmp[2..4].copy_from_slice(&sum);
                let mut packet = vec![0x60, 0, 0, 0, 0, ICMP as u8, 58, 64];
                packet.extend(octets(from).into_iter().chain(octets(to)).chain(icmp));
                packet
            }
        }
    }

    /// What answers it.
    pub fn reply(self) -> Self {
        Self { from: self.to, to: self.from, is_reply: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn echo(v6: bool) -> Echo {
        let (from, to) = if v6 { ("fd00::2", "fd00::1") } else { ("10.0.0.2", "10.0.0.1") };
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Echo { from, to, is_reply: false, token: 0x0123_4567_89ab_cdef, limit: 1420 }
    }

    #[test]
    fn both_families_and_directions_come_back() {
        for v6 in [false, true] {
            let request = echo(v6);
            for echo in [request, request.reply()] {
                let bytes = echo.to_bytes();
                assert_eq!(Echo::parse(&bytes), Some(echo));
                assert_eq!(bytes.len(), len(&echo.to));
                assert_eq!(crate::offload::ip_len(&bytes), Some(bytes.len()));
            }
        }
    }

    #[test]
    fn checksums_are_right() {
        let v4 = echo(false).to_bytes();
        assert_eq!(internet_checksum(&[&v4[..20]]), [0, 0]);
        assert_eq!(internet_checksum(&[&v4[20..]]), [0, 0]);
        let v6 = echo(true).to_bytes();
        assert_eq!(internet_checksum(&[&v6[8..40], &[0, 0, 0, ICMP as u8, 0, 0, 0, 58], &v6[40..]]), [0, 0]);
    }

    #[test]
    fn anything_else_is_passed_over() {
        let good = echo(false).to_bytes();
        for (at, value) in [(0, 0x46), (6, 0x20), (7, 1), (9, 17), (20, 3), (21, 1), (28, 0)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Echo::parse(&bad), None, "{at}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics(mut bytes: Vec<u8>, len in prop::sample::select(vec![0, V4, V6, 20, 53])) {
            bytes.resize(len, 0x60);
            Echo::parse(&bytes);
        }
    }
}
