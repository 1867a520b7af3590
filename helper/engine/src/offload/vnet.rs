//! `struct virtio_net_hdr`: ten bytes in front of every packet of a TUN opened with `IFF_VNET_HDR`.

/// Bytes of `virtio_net_hdr` in front of each packet, both ways.
pub const VNET_HDR_LEN: usize = 10;

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`
const NEEDS_CSUM: u8 = 1;
/// `VIRTIO_NET_HDR_GSO_ECN`, a bit beside the type: the first segment carries CWR.
const GSO_ECN: u8 = 0x80;

/// What is packed into one oversized packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gso {
    None,
    TcpV4,
    TcpV6,
    Udp,
}

/// The header, in the machine's byte order as a TUN gives and takes it unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VnetHeader {
    /// The checksum field holds the pseudo header's sum only, the rest is for the reader to add.
    pub needs_csum: bool,
    pub gso: Gso,
    /// Bytes of all headers together; a hint that the kernel doesn't keep exact.
    pub headers: u16,
    /// Payload bytes of each segment but the last.
    pub segment: u16,
    /// Where checksumming starts: the TCP or UDP header.
    pub csum_start: u16,
    /// Where the checksum field is, from `csum_start`.
    pub csum_offset: u16,
}

impl VnetHeader {
    /// One packet as it is, its checksum complete.
    pub const PLAIN: [u8; VNET_HDR_LEN] = [0; VNET_HDR_LEN];

    /// `None`: a GSO type that was never asked for (UFO, tunnels, anything newer).
    pub fn parse(bytes: &[u8; VNET_HDR_LEN]) -> Option<Self> {
        let [flags, gso, h0, h1, s0, s1, c0, c1, o0, o1] = *bytes;
        Some(Self {
            needs_csum: flags & NEEDS_CSUM != 0,
            gso: match gso & !GSO_ECN {
                0 => Gso::None,
                1 => Gso::TcpV4,
                4 => Gso::TcpV6,
                5 => Gso::Udp,
                _ => return None,
            },
            headers: u16::from_ne_bytes([h0, h1]),
            segment: u16::from_ne_bytes([s0, s1]),
            csum_start: u16::from_ne_bytes([c0, c1]),
            csum_offset: u16::from_ne_bytes([o0, o1]),
        })
    }

    pub fn to_bytes(self) -> [u8; VNET_HDR_LEN] {
        let gso = match self.gso {
            Gso::None => 0,
            Gso::TcpV4 => 1,
            Gso::TcpV6 => 4,
            Gso::Udp => 5,
        };
        let [h0, h1] = self.headers.to_ne_bytes();
        let [s0, s1] = self.segment.to_ne_bytes();
        let [c0, c1] = self.csum_start.to_ne_bytes();
        let [o0, o1] = self.csum_offset.to_ne_bytes();
        [if self.needs_csum { NEEDS_CSUM } else { 0 }, gso, h0, h1, s0, s1, c0, c1, o0, o1]
    }
}
