//! Where the parts of an IP packet lie; every read is checked against the packet's end.
use super::checksum::Sum;

/// Length that the IP header of `packet` gives, `None` when that is more than there is or this isn't IP.
pub fn ip_len(packet: &[u8]) -> Option<usize> {
    let length = match packet.first()? >> 4 {
        4 if packet.len() >= 20 => usize::from(be16(packet, 2)?),
        6 if packet.len() >= 40 => usize::from(be16(packet, 4)?) + 40,
        _ => return None,
    };
    (length >= 20 && length <= packet.len()).then_some(length)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// Where the checksum field is in the transport header.
    pub const fn checksum_offset(self) -> usize {
        match self {
            Self::Tcp => 16,
            Self::Udp => 6,
        }
    }
}

/// A TCP or UDP packet that isn't a fragment: all of its headers are inside it, and `ip_len` is all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub v6: bool,
    pub protocol: Protocol,
    /// Offset of the TCP or UDP header.
    pub transport: usize,
    /// Offset of the payload, which may be empty.
    pub payload: usize,
}

impl Layout {
    /// Passes over IPv4 options and IPv6 extension headers. `None`: not such a packet, or its lengths disagree.
    pub fn of(packet: &[u8]) -> Option<Self> {
        if ip_len(packet)? != packet.len() {
            return None;
        }
        let (v6, transport, number) = match packet.first()? {
            first if first >> 4 == 4 => {
                let header = usize::from(first & 0x0f) * 4;
                let fragment = be16(packet, 6)? & 0x3fff != 0;
                if header < 20 || fragment {
                    return None;
                }
                (false, header, *packet.get(9)?)
            }
            _ => {
                let (transport, number) = skip_extensions(packet)?;
                (true, transport, number)
            }
        };
        let (protocol, header) = match number {
            6 => (Protocol::Tcp, usize::from(packet.get(transport + 12)? >> 4) * 4),
            17 => (Protocol::Udp, 8),
            _ => return None,
        };
        let payload = transport + header;
        let whole = payload <= packet.len() && (protocol == Protocol::Udp || header >= 20);
        whole.then_some(Self { v6, protocol, transport, payload })
    }

    /// Whether nothing stands between the fixed IP header and the transport header.
    pub fn is_plain(self) -> bool {
        self.transport == if self.v6 { 40 } else { 20 }
    }

    /// Sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1) for `length` bytes of transport header and payload.
    /// Only for a plain layout: a routing header would put another address there.
    pub fn pseudo(self, packet: &[u8], length: u16) -> Option<Sum> {
        let addresses = packet.get(if self.v6 { 8..40 } else { 12..20 })?;
        Some(Sum::default().add(addresses).add_be16(u16::from(self.protocol.number())).add_be16(length))
    }

    /// Whether the IPv4 header's sum and the transport's are right. UDP without a sum counts as wrong.
    pub fn checksums_valid(self, packet: &[u8]) -> bool {
        let check = || {
            let (header, segment) = packet.split_at_checked(self.transport)?;
            let absent = self.protocol == Protocol::Udp && be16(segment, 6)? == 0;
            let sum = self.pseudo(packet, u16::try_from(segment.len()).ok()?)?.add(segment);
            Some(!absent && (self.v6 || Sum::default().add(header).is_valid()) && sum.is_valid())
        };
        check().unwrap_or(false)
    }
}

/// Offset and number of the first header that isn't an extension (RFC 8200 4; no fragment, no AH).
fn skip_extensions(packet: &[u8]) -> Option<(usize, u8)> {
    let mut next = *packet.get(6)?;
    let mut offset = 40;
    // Hop-by-hop options, routing, destination options
    while matches!(next, 0 | 43 | 60) {
        next = *packet.get(offset)?;
        offset += (usize::from(*packet.get(offset + 1)?) + 1) * 8;
    }
    Some((offset, next))
}

pub(super) fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

pub(super) fn be32(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
}

/// Overwrites `value.len()` bytes; `None` when they would be outside.
pub(super) fn put<const N: usize>(bytes: &mut [u8], offset: usize, value: [u8; N]) -> Option<()> {
    *bytes.get_mut(offset..)?.first_chunk_mut()? = value;
    Some(())
}
