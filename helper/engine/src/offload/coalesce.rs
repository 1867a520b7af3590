//! Packets that came from the wire → few large writes to the TUN.
use std::io::IoSlice;

use super::checksum::Sum;
use super::flow::{Addresses, Candidate, Flow, needs_id, same_headers, tcp_flags};
use super::packet::{Layout, Protocol, put};
use super::vnet::{Gso, VNET_HDR_LEN, VnetHeader};

/// Packets in one write; what the kernel takes for UDP (`UDP_MAX_SEGMENTS` of older kernels).
const MAX_SEGMENTS: usize = 64;
/// Flows that can gain packets at one time. The one that began first makes room, which costs only speed.
const MAX_OPEN: usize = 32;
/// Longest write without its vnet header, as IPv4's total length can say it.
const MAX_LENGTH: usize = 65_535;
/// Ends a group's list of packets.
const NONE: usize = usize::MAX;

/// Joins packets of one TCP or UDP flow, so that the host's stack handles them as one. Keeps its lists between
/// runs and allocates nothing once they have grown to the usual batch.
#[derive(Debug)]
pub struct Coalescer {
    udp: bool,
    /// In the order in which they are written.
    groups: Vec<Group>,
    /// Groups that can still gain packets, oldest first.
    open: Vec<Open>,
    /// The next packet of the same group, by packet.
    next: Vec<usize>,
}

#[derive(Debug)]
struct Group {
    first: usize,
    last: usize,
    count: usize,
    /// Headers and all payload.
    length: usize,
    /// `None`: this packet stays alone.
    merge: Option<Merge>,
}

#[derive(Clone, Copy, Debug)]
struct Merge {
    layout: Layout,
    /// Payload bytes of each packet but the last.
    segment: usize,
    push: bool,
}

#[derive(Debug)]
struct Open {
    flow: Flow,
    group: usize,
    next_sequence: u32,
    next_id: u16,
    /// The first packet's checksums were found right.
    verified: bool,
}

impl Default for Coalescer {
    fn default() -> Self {
        Self::new()
    }
}

impl Coalescer {
    pub const fn new() -> Self {
        Self { udp: true, groups: Vec::new(), open: Vec::new(), next: Vec::new() }
    }

    /// Whether UDP is joined too: only where `TUNSETOFFLOAD` took `TUN_F_USO4 | TUN_F_USO6` (Linux 6.2), since
    /// an older kernel refuses such a write.
    pub fn set_udp(&mut self, enabled: bool) {
        self.udp = enabled;
    }

    /// Calls `write` once for each packet or run of joined packets: first the `virtio_net_hdr`, then the pieces.
    /// Packets of one flow keep their order; the headers of those that are joined are changed in place. Each
    /// packet must end where its IP header says, else it is passed on alone.
    ///
    /// Joined is what the host could cut apart again without a difference: equal headers, sequence numbers
    /// (and IPv4 ids, where fragmenting is allowed) that follow each other, right checksums, equal sizes but for
    /// the last. Everything that isn't plain data (SYN, FIN, RST, URG, CWR, ECE, IP options, extension headers,
    /// fragments) stays alone and ends the run of its flow.
    pub fn run(&mut self, packets: &mut [&mut [u8]], mut write: impl FnMut(&[IoSlice<'_>])) {
        self.groups.clear();
        self.open.clear();
        self.next.clear();
        self.next.resize(packets.len(), NONE);
        for (index, packet) in packets.iter().enumerate() {
            self.place(packets, index, packet);
        }
        for group in &self.groups {
            group.write(&self.next, packets, &mut write);
        }
    }

    #[cfg(test)]
    pub(super) fn capacities(&self) -> [usize; 3] {
        [self.groups.capacity(), self.open.capacity(), self.next.capacity()]
    }

    fn place(&mut self, packets: &[&mut [u8]], index: usize, packet: &[u8]) {
        let layout = Layout::of(packet);
        let Some((layout, flow)) = layout.and_then(|layout| Some((layout, Flow::of(packet, layout)?))) else {
            // Without ports it may belong to any flow between the two.
            if let Some(addresses) = Addresses::of(packet) {
                self.open.retain(|open| open.flow.addresses != addresses);
            }
            self.begin(index, packet.len(), None);
            return;
        };
        let wanted = self.udp || layout.protocol == Protocol::Tcp;
        let candidate = if wanted { Candidate::of(packet, layout) } else { None };
        if let Some(at) = self.open.iter().position(|open| open.flow == flow) {
            let joined = candidate.and_then(|candidate| self.join(packets, at, index, packet, candidate));
            if joined != Some(Room::Left) {
                self.open.remove(at);
            }
            if joined.is_some() {
                return;
            }
        }
        self.begin(index, packet.len(), candidate.map(|candidate| (flow, candidate)));
    }

    /// `None`: the packet can't go to the group of `open[at]`.
    fn join(
        &mut self,
        packets: &[&mut [u8]],
        at: usize,
        index: usize,
        packet: &[u8],
        candidate: Candidate,
    ) -> Option<Room> {
        let Candidate { layout, payload, sequence, id, push } = candidate;
        let open = self.open.get_mut(at)?;
        let group = self.groups.get_mut(open.group)?;
        let merge = group.merge.as_mut()?;
        let first: &[u8] = packets.get(group.first)?;
        let fits = layout == merge.layout
            && payload <= merge.segment
            && group.length + payload <= MAX_LENGTH
            && (layout.protocol == Protocol::Udp || sequence == open.next_sequence)
            && (id == open.next_id || !needs_id(packet, layout))
            && same_headers(first, packet, layout)?
            && layout.checksums_valid(packet)
            && (open.verified || layout.checksums_valid(first));
        if !fits {
            return None;
        }
        *self.next.get_mut(group.last)? = index;
        group.last = index;
        group.count += 1;
        group.length += payload;
        merge.push = push;
        open.verified = true;
        open.next_sequence = sequence.wrapping_add(payload as u32);
        open.next_id = id.wrapping_add(1);
        let full = push || payload < merge.segment || group.count == MAX_SEGMENTS;
        Some(if full { Room::Full } else { Room::Left })
    }

    fn begin(&mut self, index: usize, length: usize, candidate: Option<(Flow, Candidate)>) {
        let mut group = Group { first: index, last: index, count: 1, length, merge: None };
        if let Some((flow, Candidate { layout, sequence, id, push: false, payload })) = candidate {
            group.merge = Some(Merge { layout, segment: payload, push: false });
            if self.open.len() == MAX_OPEN {
                self.open.remove(0);
            }
            self.open.push(Open {
                flow,
                group: self.groups.len(),
                next_sequence: sequence.wrapping_add(payload as u32),
                next_id: id.wrapping_add(1),
                verified: false,
            });
        }
        self.groups.push(group);
    }
}

#[derive(PartialEq)]
enum Room {
    Left,
    Full,
}

impl Group {
    fn write(&self, next: &[usize], packets: &mut [&mut [u8]], write: &mut impl FnMut(&[IoSlice<'_>])) {
        let sealed = match (self.merge, packets.get_mut(self.first)) {
            (Some(merge), Some(first)) if self.count > 1 => self.seal(merge, first),
            _ => None,
        };
        let Some(first) = packets.get(self.first) else { return };
        let Some((vnet, front)) = sealed else {
            write(&[IoSlice::new(&VnetHeader::PLAIN), IoSlice::new(first)]);
            return;
        };
        let mut pieces = [IoSlice::new(&[]); 1 + MAX_SEGMENTS];
        let [head, body, rest @ ..] = &mut pieces;
        (*head, *body) = (IoSlice::new(&vnet), IoSlice::new(first));
        let after = |at: &usize| next.get(*at).copied().filter(|at| *at != NONE);
        let followers = std::iter::successors(after(&self.first), after).filter_map(|at| packets.get(at));
        for (piece, packet) in rest.iter_mut().zip(followers) {
            *piece = IoSlice::new(packet.get(front..).unwrap_or_default());
        }
        write(pieces.get(..=self.count).unwrap_or_default());
    }

    /// Makes the first packet's headers those of the whole. Gives the vnet header, and how much to leave out of
    /// the packets that follow.
    fn seal(&self, merge: Merge, first: &mut [u8]) -> Option<([u8; VNET_HDR_LEN], usize)> {
        let Layout { v6, protocol, transport, payload } = merge.layout;
        let gso = match (protocol, v6) {
            (Protocol::Tcp, false) => Gso::TcpV4,
            (Protocol::Tcp, true) => Gso::TcpV6,
            (Protocol::Udp, _) => Gso::Udp,
        };
        let vnet = VnetHeader {
            needs_csum: true,
            gso,
            headers: u16::try_from(payload).ok()?,
            segment: u16::try_from(merge.segment).ok()?,
            csum_start: u16::try_from(transport).ok()?,
            csum_offset: protocol.checksum_offset() as u16,
        };
        let total = u16::try_from(self.length).ok()?;
        let length = u16::try_from(self.length - transport).ok()?;
        if v6 {
            put(first, 4, length.to_be_bytes())?;
        } else {
            put(first, 2, total.to_be_bytes())?;
            put(first, 10, [0, 0])?;
            let sum = Sum::default().add(first.get(..transport)?);
            put(first, 10, sum.finish())?;
        }
        match protocol {
            Protocol::Tcp => put(first, transport + 13, [tcp_flags(merge.push)])?,
            Protocol::Udp => put(first, transport + 4, length.to_be_bytes())?,
        }
        let sum = merge.layout.pseudo(first, length)?;
        put(first, transport + protocol.checksum_offset(), sum.partial())?;
        Some((vnet.to_bytes(), payload))
    }
}
