//! Packets built and checked by the plainest means, to compare with.

/// RFC 1071 as it is written: 16-bit words, big-endian.
pub fn plain_sum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// One TCP or UDP packet's fields; the checksums are right unless `fix` isn't called.
#[derive(Clone, Debug)]
pub struct Fields {
    pub v6: bool,
    pub udp: bool,
    pub hosts: [u8; 2],
    pub ports: [u16; 2],
    /// TOS or traffic class.
    pub class: u8,
    /// TTL or hop limit.
    pub hops: u8,
    pub may_fragment: bool,
    pub id: u16,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: u8,
    /// The four bits beside the data offset.
    pub reserved: u8,
    pub urgent: u16,
    pub window: u16,
    /// A multiple of four bytes of TCP options.
    pub options: Vec<u8>,
    /// IPv4 options or IPv6 extension headers, as they stand on the wire.
    pub extra: Vec<u8>,
    /// Number of the first IPv6 extension header in `extra`.
    pub extra_number: u8,
    pub payload: Vec<u8>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            v6: false,
            udp: false,
            hosts: [1, 2],
            ports: [4000, 443],
            class: 0,
            hops: 64,
            may_fragment: false,
            id: 7,
            sequence: 1000,
            acknowledgement: 5,
            flags: 0x10,
            reserved: 0,
            urgent: 0,
            window: 512,
            options: vec![],
            extra: vec![],
            extra_number: 0,
            payload: vec![],
        }
    }
}

impl Fields {
    pub fn header_len(&self) -> usize {
        self.transport() + if self.udp { 8 } else { 20 + self.options.len() }
    }

    pub fn transport(&self) -> usize {
        if self.v6 { 40 + self.extra.len() } else { 20 + self.extra.len() }
    }

    pub fn build(&self) -> Vec<u8> {
        let number = if self.udp { 17 } else { 6 };
        let length = self.header_len() + self.payload.len();
        let mut p = vec![];
        if self.v6 {
            let next = if self.extra.is_empty() { number } else { self.extra_number };
            p.extend([0x60 | self.class >> 4, self.class << 4, 0, 9]);
            p.extend((length as u16 - 40).to_be_bytes());
            p.extend([next, self.hops]);
            for host in self.hosts {
                p.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
            }
        } else {
            p.extend([0x45 + (self.extra.len() / 4) as u8, self.class]);
            p.extend((length as u16).to_be_bytes());
            p.extend(self.id.to_be_bytes());
            p.extend([if self.may_fragment { 0 } else { 0x40 }, 0, self.hops, number, 0, 0]);
            for host in self.hosts {
                p.extend([10, 0, 0, host]);
            }
        }
        p.extend(&self.extra);
        for port in self.ports {
            p.extend(port.to_be_bytes());
        }
        if self.udp {
            p.extend((8 + self.payload.len() as u16).to_be_bytes());
            p.extend([0, 0]);
        } else {
            p.extend(self.sequence.to_be_bytes());
            p.extend(self.acknowledgement.to_be_bytes());
            p.extend([0x50 + (self.options.len() as u8 / 4 * 16) + self.reserved, self.flags]);
            p.extend(self.window.to_be_bytes());
            p.extend([0, 0]);
            p.extend(self.urgent.to_be_bytes());
            p.extend(&self.options);
        }
        p.extend(&self.payload);
        fix(&mut p, self.transport(), self.udp);
        p
    }

    /// The same with the next part of a stream: sequence and id go on.
    pub fn then(&self, payload: &[u8]) -> Self {
        let sequence = self.sequence.wrapping_add(self.payload.len() as u32);
        Self { sequence, id: self.id.wrapping_add(1), payload: payload.to_vec(), ..self.clone() }
    }

    /// As the kernel gives it to a TUN: `virtio_net_hdr` in front, the checksum field a partial one.
    pub fn oversized(&self, gso: u8, segment: u16) -> Vec<u8> {
        let mut p = self.build();
        let (transport, field) = (self.transport(), if self.udp { 6 } else { 16 });
        let seed = pseudo(&p, transport, self.udp);
        p[transport + field..][..2].copy_from_slice(&seed.to_be_bytes());
        let mut read = vec![1, gso];
        for value in [self.header_len() as u16, segment, transport as u16, field as u16] {
            read.extend(value.to_ne_bytes());
        }
        read.extend(p);
        read
    }
}

fn pseudo(p: &[u8], transport: usize, udp: bool) -> u16 {
    let addresses = if p[0] >> 4 == 6 { &p[8..40] } else { &p[12..20] };
    let length = (p.len() - transport) as u16;
    plain_sum(&[addresses, &[0, if udp { 17 } else { 6 }], &length.to_be_bytes()])
}

/// Writes both checksums anew.
pub fn fix(p: &mut [u8], transport: usize, udp: bool) {
    if p[0] >> 4 == 4 {
        p[10..12].fill(0);
        let sum = !plain_sum(&[&p[..transport]]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let field = transport + if udp { 6 } else { 16 };
    p[field..field + 2].fill(0);
    let mut sum = !plain_sum(&[&pseudo(p, transport, udp).to_be_bytes(), &p[transport..]]);
    if sum == 0 && udp {
        sum = 0xffff;
    }
    p[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Whether a plain packet's checksums are right.
pub fn valid(p: &[u8]) -> bool {
    let transport = if p[0] >> 4 == 6 { 40 } else { usize::from(p[0] & 15) * 4 };
    let udp = p[if p[0] >> 4 == 6 { 6 } else { 9 }] == 17;
    (p[0] >> 4 == 6 || plain_sum(&[&p[..transport]]) == 0xffff)
        && plain_sum(&[&pseudo(p, transport, udp).to_be_bytes(), &p[transport..]]) == 0xffff
        && !(udp && p[transport + 6..transport + 8] == [0, 0])
}
