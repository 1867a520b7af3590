//! The Internet checksum (RFC 1071), in the machine's byte order, which the sum doesn't mind.

/// A ones' complement sum still being added up. Parts may be added in any order as long as each but the last of
/// a message has an even length.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum(u64);

impl Sum {
    pub fn add(self, bytes: &[u8]) -> Self {
        // Eight independent lanes: the compiler makes vector additions of them.
        let mut lanes = [0u64; 8];
        let (blocks, rest) = bytes.as_chunks::<32>();
        for block in blocks {
            let (words, _) = block.as_chunks::<4>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane += u64::from(u32::from_ne_bytes(*word));
            }
        }
        let mut total = lanes.iter().sum::<u64>();
        let (words, rest) = rest.as_chunks::<4>();
        for word in words {
            total += u64::from(u32::from_ne_bytes(*word));
        }
        let (pairs, odd) = rest.as_chunks::<2>();
        for pair in pairs {
            total += u64::from(u16::from_ne_bytes(*pair));
        }
        if let [last] = odd {
            total += u64::from(u16::from_ne_bytes([*last, 0]));
        }
        Self(self.0 + u64::from(fold(total)))
    }

    /// Adds a number that stands in network byte order on the wire.
    pub fn add_be16(self, value: u16) -> Self {
        Self(self.0 + u64::from(value.to_be()))
    }

    /// Takes away a number added before: in ones' complement, by adding its inverse.
    pub fn sub_be16(self, value: u16) -> Self {
        self.add_be16(!value)
    }

    /// The folded sum as it stands in a checksum field that is still to be completed.
    pub fn partial(self) -> [u8; 2] {
        fold(self.0).to_ne_bytes()
    }

    /// The complete checksum as it stands on the wire.
    pub fn finish(self) -> [u8; 2] {
        (!fold(self.0)).to_ne_bytes()
    }

    /// As `finish`, for UDP, where zero means "none".
    pub fn finish_udp(self) -> [u8; 2] {
        match self.finish() {
            [0, 0] => [0xff, 0xff],
            sum => sum,
        }
    }

    /// Whether a message summed with its own checksum is whole.
    pub fn is_valid(self) -> bool {
        fold(self.0) == 0xffff
    }
}

/// The complete checksum of a message in parts, each of an even length.
pub fn internet_checksum(parts: &[&[u8]]) -> [u8; 2] {
    parts.iter().fold(Sum::default(), |sum, part| sum.add(part)).finish()
}

fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}
