//! Which datagrams go out in one message, and what to do when the kernel refuses it. No I/O.
use crate::sys::errno;
use std::net::SocketAddr;
use std::ops::Range;

/// UDP_MAX_SEGMENTS of kernels before 6.9.
const MAX_SEGMENTS: usize = 64;
/// Bytes in one message, below what the length fields of IP and UDP can say.
const MAX_BYTES: usize = 65_000;

/// Consecutive datagrams to one address: all of `segment` bytes but the last, which may be shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub datagrams: Range<usize>,
    pub segment: usize,
    pub to: SocketAddr,
}

impl Message {
    /// Whether the kernel has to cut it.
    pub fn is_segmented(&self) -> bool {
        self.datagrams.len() > 1
    }
}

/// Adds the messages for `datagrams`, given by length and address, to `out`.
///
/// `gso` tells whether datagrams to an address may be sent together.
pub fn plan(
    datagrams: impl Iterator<Item = (usize, SocketAddr)>,
    gso: impl Fn(&SocketAddr) -> bool,
    out: &mut Vec<Message>,
) {
    let (mut total, mut last) = (0, 0);
    for (i, (len, to)) in datagrams.enumerate() {
        if let Some(m) = out.last_mut() {
            let fits = len <= m.segment && last == m.segment && len > 0;
            let room = m.datagrams.len() < MAX_SEGMENTS && total + len <= MAX_BYTES;
            if fits && room && m.to == to && gso(&to) {
                m.datagrams.end = i + 1;
                total += len;
                last = len;
                continue;
            }
        }
        out.push(Message { datagrams: i..i + 1, segment: len, to });
        (total, last) = (len, len);
    }
}

/// What to do about a message that the kernel didn't take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// Wait until the socket takes more, and send it again.
    Wait,
    /// Send it again at once.
    Again,
    /// Send its datagrams one by one, and segment nothing more on this socket.
    Unsegment,
    /// Send its datagrams one by one, and segment nothing more to this address for a while.
    Narrow,
    /// Lost: count it and go on with the next.
    Lost(i32),
}

/// Decides by errno.
///
/// EIO: the device can't checksum (Linux before 6.11), or IPsec takes the packet. EINVAL or EMSGSIZE: a segment is
/// longer than the path's MTU, which segmenting doesn't allow while a datagram by itself is fragmented. That says
/// nothing about other peers' paths, and a forged ICMP message is enough for it.
pub fn failed(code: i32, segmented: bool) -> Failed {
    match code {
        errno::EAGAIN => Failed::Wait,
        errno::EINTR => Failed::Again,
        errno::EIO | errno::EOPNOTSUPP if segmented => Failed::Unsegment,
        errno::EINVAL | errno::EMSGSIZE if segmented => Failed::Narrow,
        code => Failed::Lost(code),
    }
}

/// Whether this errno says that the host cannot reach the address at present, whatever is sent: no route, no address of its
/// own, no such family, the firewall.
pub fn no_way(code: i32) -> bool {
    use errno::{EACCES, EADDRNOTAVAIL, EAFNOSUPPORT, EHOSTUNREACH, ENETDOWN, ENETUNREACH, ENODEV, EPERM};
    [ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ENETDOWN, EAFNOSUPPORT, EPERM, EACCES, ENODEV].contains(&code)
}

/// Whether this errno may mean that the address to send from is ours no more, or has no way to where the datagram goes.
pub fn loses_source(code: i32) -> bool {
    code == errno::EINVAL || no_way(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(lens: &[(usize, u16)], gso: bool) -> Vec<(Range<usize>, usize)> {
        let addr = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let mut out = vec![];
        plan(lens.iter().map(|(len, port)| (*len, addr(*port))), |_| gso, &mut out);
        out.into_iter().map(|m| (m.datagrams, m.segment)).collect()
    }

    #[test]
    fn equal_datagrams_go_together_and_a_shorter_one_ends_them() {
        let lens = [(100, 1), (100, 1), (60, 1), (60, 1), (100, 1)];
        assert_eq!(messages(&lens, true), [(0..3, 100), (3..4, 60), (4..5, 100)]);
    }

    #[test]
    fn another_address_begins_another_message() {
        assert_eq!(messages(&[(9, 1), (9, 2), (9, 2)], true), [(0..1, 9), (1..3, 9)]);
    }

    #[test]
    fn without_gso_each_goes_alone() {
        assert_eq!(messages(&[(9, 1), (9, 1)], false), [(0..1, 9), (1..2, 9)]);
    }

    #[test]
    fn segments_and_bytes_are_bounded() {
        let small = messages(&[(1, 1); 130], true);
        assert_eq!(small, [(0..64, 1), (64..128, 1), (128..130, 1)]);
        let large = messages(&[(1452, 1); 50], true);
        assert_eq!(large, [(0..44, 1452), (44..50, 1452)]);
    }

    #[test]
    fn a_refused_message_is_sent_unsegmented_once() {
        for (code, then) in
            [(errno::EIO, Failed::Unsegment), (errno::EINVAL, Failed::Narrow), (errno::EMSGSIZE, Failed::Narrow)]
        {
            assert_eq!(failed(code, true), then);
            assert_eq!(failed(code, false), Failed::Lost(code));
        }
    }

    #[test]
    fn an_unreachable_network_loses_datagrams_only() {
        for code in [errno::ENETUNREACH, errno::EHOSTUNREACH, errno::EPERM, errno::ENOBUFS, errno::ENETDOWN] {
            assert_eq!(failed(code, true), Failed::Lost(code));
        }
        assert_eq!(failed(errno::EAGAIN, true), Failed::Wait);
        assert_eq!(failed(errno::EINTR, false), Failed::Again);
    }
}
