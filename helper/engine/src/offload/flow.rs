//! Which packets belong to one flow, and which of those may be joined.
use super::packet::{Layout, Protocol, be16, be32, put};

const ACK: u8 = 0x10;
const PSH: u8 = 0x08;

/// What packets whose order must be kept have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub addresses: Addresses,
    protocol: Protocol,
    ports: [u8; 4],
}

impl Flow {
    pub fn of(packet: &[u8], layout: Layout) -> Option<Self> {
        Some(Self {
            addresses: Addresses::of(packet)?,
            protocol: layout.protocol,
            ports: *packet.get(layout.transport..)?.first_chunk()?,
        })
    }
}

/// Source and destination; IPv4 fills the first eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    v6: bool,
    bytes: [u8; 32],
}

impl Addresses {
    pub fn of(packet: &[u8]) -> Option<Self> {
        let v6 = match packet.first()? >> 4 {
            4 => false,
            6 => true,
            _ => return None,
        };
        let mut bytes = [0; 32];
        if v6 {
            bytes = *packet.get(8..)?.first_chunk()?;
        } else {
            put(&mut bytes, 0, *packet.get(12..)?.first_chunk::<8>()?)?;
        }
        Some(Self { v6, bytes })
    }
}

/// A packet that may be joined with others: nothing but payload and an acknowledgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub layout: Layout,
    pub sequence: u32,
    pub id: u16,
    pub push: bool,
    /// Bytes of payload, never 0.
    pub payload: usize,
}

impl Candidate {
    pub fn of(packet: &[u8], layout: Layout) -> Option<Self> {
        let payload = packet.len().checked_sub(layout.payload)?;
        if payload == 0 || !layout.is_plain() {
            return None;
        }
        let id = be16(packet, 4)?;
        let segment = packet.get(layout.transport..)?;
        match layout.protocol {
            Protocol::Tcp => {
                let (reserved, flags) = (segment.get(12)? & 0x0f, *segment.get(13)?);
                let data = reserved == 0 && flags & !PSH == ACK;
                let sequence = be32(segment, 4)?;
                data.then_some(Self { layout, sequence, id, push: flags & PSH != 0, payload })
            }
            Protocol::Udp => {
                let whole = usize::from(be16(segment, 4)?) == segment.len();
                whole.then_some(Self { layout, sequence: 0, id, push: false, payload })
            }
        }
    }
}

/// The flags of a joined packet.
pub(super) const fn tcp_flags(push: bool) -> u8 {
    if push { ACK | PSH } else { ACK }
}

/// Whether the headers differ only in what a cut would write anew: lengths, id, sequence, checksums, PSH.
pub(super) fn same_headers(a: &[u8], b: &[u8], layout: Layout) -> Option<bool> {
    let same = |from: usize, to: usize| Some(a.get(from..to)? == b.get(from..to)?);
    let ip = if layout.v6 {
        same(0, 4)? && same(7, 8)? // class, flow label · hop limit
    } else {
        same(0, 2)? && same(6, 7)? && same(8, 9)? // TOS · DF · TTL
    };
    let t = layout.transport;
    Some(match layout.protocol {
        // acknowledgement, offset · window · urgent pointer, options
        Protocol::Tcp => ip && same(t + 8, t + 13)? && same(t + 14, t + 16)? && same(t + 18, layout.payload)?,
        Protocol::Udp => ip,
    })
}

/// Whether the IPv4 id counts: a packet that may still be fragmented is put together again by it.
pub(super) fn needs_id(packet: &[u8], layout: Layout) -> bool {
    !layout.v6 && packet.get(6).is_none_or(|flags| flags & 0x40 == 0)
}
