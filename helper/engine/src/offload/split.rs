//! One read of the TUN → the packets that go on the wire.
use std::fmt;

use super::checksum::Sum;
use super::packet::{Layout, Protocol, be16, be32, ip_len, put};
use super::vnet::{Gso, VNET_HDR_LEN, VnetHeader};

/// Longest headers that are split; more than IPv4 and TCP with all options (120), room for IPv6 extensions.
const MAX_HEADERS: usize = 256;

const FIN_PSH: u8 = 0x01 | 0x08;
const CWR: u8 = 0x80;

/// Why a packet from the TUN was refused; nothing of it was emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitError {
    /// Shorter than `virtio_net_hdr` and the IP header, or than the IP header says.
    Short,
    /// A kind of offload that we never asked for.
    UnknownGso,
    /// The checksum fields of `virtio_net_hdr` point outside or to the wrong place.
    Checksum,
    /// The headers contradict each other or `virtio_net_hdr`.
    Headers,
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "packet shorter than its headers say",
            Self::UnknownGso => "unknown kind of offload",
            Self::Checksum => "checksum position outside of the packet or wrong",
            Self::Headers => "inconsistent headers",
        })
    }
}

impl std::error::Error for SplitError {}

/// Cuts `buf`, a `virtio_net_hdr` and the packet behind it, into packets of the size the kernel asks for, and
/// completes their checksums. `emit(headers, payload)` is called for each in order, the payload a part of `buf`;
/// the payload is empty where nothing was to be cut. Returns how many there were.
///
/// # Errors
/// Refuses the whole read, before anything is emitted, when it is inconsistent.
pub fn split(buf: &mut [u8], emit: impl FnMut(&[u8], &[u8])) -> Result<usize, SplitError> {
    let (vnet, packet) = buf.split_first_chunk_mut::<VNET_HDR_LEN>().ok_or(SplitError::Short)?;
    let vnet = VnetHeader::parse(vnet).ok_or(SplitError::UnknownGso)?;
    let length = ip_len(packet).ok_or(SplitError::Short)?;
    match vnet.gso {
        Gso::None => whole(vnet, packet.get_mut(..length).ok_or(SplitError::Short)?, emit),
        _ => Segments::new(vnet, packet)?.emit_all(emit).ok_or(SplitError::Headers),
    }
}

fn whole(vnet: VnetHeader, packet: &mut [u8], mut emit: impl FnMut(&[u8], &[u8])) -> Result<usize, SplitError> {
    if vnet.needs_csum {
        complete_checksum(vnet, packet).ok_or(SplitError::Checksum)?;
    }
    emit(packet, &[]);
    Ok(1)
}

fn complete_checksum(vnet: VnetHeader, packet: &mut [u8]) -> Option<()> {
    let start = usize::from(vnet.csum_start);
    let offset = usize::from(vnet.csum_offset);
    if start < 20 {
        return None;
    }
    let rest = packet.get_mut(start..)?;
    // The field holds the pseudo header's sum, so it belongs to what is summed.
    let sum = Sum::default().add(rest);
    let udp = offset == Protocol::Udp.checksum_offset();
    put(rest, offset, if udp { sum.finish_udp() } else { sum.finish() })
}

/// An oversized packet whose headers were found consistent.
struct Segments<'a> {
    layout: Layout,
    headers: [u8; MAX_HEADERS],
    payload: &'a [u8],
    /// Payload bytes of each segment but the last, never 0.
    size: usize,
    /// The pseudo header's sum without its length. The kernel's own is kept, since behind a routing header or
    /// source route the address in it isn't the one in the IP header.
    pseudo: Sum,
}

impl<'a> Segments<'a> {
    fn new(vnet: VnetHeader, packet: &'a [u8]) -> Result<Self, SplitError> {
        let layout = Layout::of(packet).ok_or(SplitError::Headers)?;
        let expected = match vnet.gso {
            Gso::TcpV4 => (false, Protocol::Tcp),
            Gso::TcpV6 => (true, Protocol::Tcp),
            Gso::Udp => (layout.v6, Protocol::Udp),
            Gso::None => return Err(SplitError::UnknownGso),
        };
        if (layout.v6, layout.protocol) != expected {
            return Err(SplitError::Headers);
        }
        let positions = (usize::from(vnet.csum_start), usize::from(vnet.csum_offset));
        if !vnet.needs_csum || positions != (layout.transport, layout.protocol.checksum_offset()) {
            return Err(SplitError::Checksum);
        }
        let (front, payload) = packet.split_at_checked(layout.payload).ok_or(SplitError::Short)?;
        if payload.is_empty() || vnet.segment == 0 {
            return Err(SplitError::Headers);
        }
        let mut headers = [0; MAX_HEADERS];
        headers.get_mut(..front.len()).ok_or(SplitError::Headers)?.copy_from_slice(front);
        let field = layout.transport + layout.protocol.checksum_offset();
        let whole = u16::try_from(packet.len() - layout.transport).map_err(|_| SplitError::Headers)?;
        let seed = be16(front, field).ok_or(SplitError::Headers)?;
        let pseudo = Sum::default().add_be16(seed).sub_be16(whole);
        Ok(Self { layout, headers, payload, size: usize::from(vnet.segment), pseudo })
    }

    /// `None` can't happen once `new` let the packet through; it stands for offsets outside of the headers.
    fn emit_all(mut self, mut emit: impl FnMut(&[u8], &[u8])) -> Option<usize> {
        let Layout { v6, protocol, transport, payload: front } = self.layout;
        let headers = self.headers.get_mut(..front)?;
        let id = be16(headers, 4)?;
        let (sequence, flags) = match protocol {
            Protocol::Tcp => (be32(headers, transport + 4)?, *headers.get(transport + 13)?),
            Protocol::Udp => (0, 0),
        };
        let count = self.payload.len().div_ceil(self.size);
        for (index, payload) in self.payload.chunks(self.size).enumerate() {
            let length = u16::try_from(front - transport + payload.len()).ok()?;
            if v6 {
                let length = u16::try_from(front - 40 + payload.len()).ok()?;
                put(headers, 4, length.to_be_bytes())?;
            } else {
                let total = u16::try_from(front + payload.len()).ok()?;
                put(headers, 2, total.to_be_bytes())?;
                put(headers, 4, id.wrapping_add(index as u16).to_be_bytes())?;
                put(headers, 10, [0, 0])?;
                let sum = Sum::default().add(headers.get(..transport)?);
                put(headers, 10, sum.finish())?;
            }
            match protocol {
                Protocol::Tcp => {
                    let at = sequence.wrapping_add((index * self.size) as u32);
                    let keep_last = if index + 1 == count { 0xff } else { !FIN_PSH };
                    let keep_first = if index == 0 { 0xff } else { !CWR };
                    put(headers, transport + 4, at.to_be_bytes())?;
                    put(headers, transport + 13, [flags & keep_last & keep_first])?;
                }
                Protocol::Udp => put(headers, transport + 4, length.to_be_bytes())?,
            }
            let field = transport + protocol.checksum_offset();
            put(headers, field, [0, 0])?;
            let sum = self.pseudo.add_be16(length).add(headers.get(transport..)?).add(payload);
            put(headers, field, if protocol == Protocol::Udp { sum.finish_udp() } else { sum.finish() })?;
            emit(headers, payload);
        }
        Some(count)
    }
}
