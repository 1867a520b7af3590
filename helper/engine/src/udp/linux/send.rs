//! sendmmsg(2) with UDP_SEGMENT.
use super::Raw;
use super::addr::SockAddr;
use crate::sys::cvt;
use crate::udp::plan::Message;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

/// Messages in one system call.
const BATCH: usize = 64;

/// Bytes of one datagram, which must live until it is sent.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Piece(libc::iovec);

impl Piece {
    pub fn new(bytes: &[u8]) -> Self {
        // sendmmsg doesn't write to it.
        Self(libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() })
    }

    pub fn len(&self) -> usize {
        self.0.iov_len
    }
}

/// Room for control messages: UDP_SEGMENT, and the address to send from.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

/// One call for messages from the first on that go through this socket; gives how many went. `pieces` are all
/// datagrams; `source` says where one is to be sent from.
pub fn send_some(
    socket: &Raw,
    messages: &[Message],
    pieces: &[Piece],
    source: impl Fn(SocketAddr) -> Option<IpAddr>,
) -> io::Result<usize> {
    // SAFETY: all zeros is a valid mmsghdr: no name, no data, no control.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    let mut controls = [Control([0; 64]); BATCH];
    let mut names = [SockAddr::empty(); BATCH];
    let mut wholes = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    let v4 = messages[0].to.is_ipv4();
    let messages = messages.iter().take_while(|m| m.to.is_ipv4() == v4).take(BATCH);
    let mut n = 0;
    let room = headers.iter_mut().zip(&mut controls).zip(&mut names).zip(&mut wholes);
    for (message, (((header, control), name), whole)) in messages.zip(room) {
        *name = message.to.into();
        let header = &mut header.msg_hdr;
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = name.len();
        let iov = &pieces[message.datagrams.clone()];
        (header.msg_iov, header.msg_iovlen) = match in_one_piece(iov) {
            Some(one) => {
                *whole = one;
                (&raw mut *whole, 1)
            }
            None => (iov.as_ptr().cast_mut().cast(), iov.len()),
        };
        if message.is_segmented() {
            control.push(header, libc::SOL_UDP, libc::UDP_SEGMENT, message.segment as u16);
        }
        match source(message.to) {
            Some(IpAddr::V4(ip)) => {
                let ipi_spec_dst = libc::in_addr { s_addr: u32::from(ip).to_be() };
                let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst, ipi_addr: libc::in_addr { s_addr: 0 } };
                control.push(header, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            Some(IpAddr::V6(ip)) => {
                let ipi6_addr = libc::in6_addr { s6_addr: ip.octets() };
                let info = libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
                control.push(header, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
            None => {}
        }
        n += 1;
    }
    // SAFETY: the first `n` headers point to names, pieces, packets and controls that live until the call returns.
    cvt(unsafe { libc::sendmmsg(socket.0.as_raw_fd(), headers.as_mut_ptr(), n, 0) } as isize)
}

/// The same bytes as one piece, where each begins where the one before ends: less for the kernel to walk.
fn in_one_piece(pieces: &[Piece]) -> Option<libc::iovec> {
    let follows = |pair: &[Piece]| pair[0].0.iov_base.wrapping_byte_add(pair[0].len()) == pair[1].0.iov_base;
    let iov_len = pieces.iter().map(Piece::len).sum();
    pieces.windows(2).all(follows).then_some(libc::iovec { iov_base: pieces.first()?.0.iov_base, iov_len })
}

impl Control {
    /// Adds a control message to those that `header` has already.
    fn push<T: Copy>(&mut self, header: &mut libc::msghdr, level: i32, kind: i32, value: T) {
        let len = size_of::<T>() as u32;
        let before = header.msg_controllen;
        // SAFETY: CMSG_SPACE and CMSG_LEN only calculate.
        let (space, told) = unsafe { (libc::CMSG_SPACE(len) as usize, libc::CMSG_LEN(len) as usize) };
        let room = &mut self.0[before..before + space];
        let at = room.as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: `room` has `space` bytes for the header and the value behind it. It is aligned, since the whole buffer
        // is and every message's space is a multiple of the alignment; the value needs none.
        unsafe {
            (*at).cmsg_level = level;
            (*at).cmsg_type = kind;
            (*at).cmsg_len = told as _;
            libc::CMSG_DATA(at).cast::<T>().write_unaligned(value);
        }
        header.msg_control = self.0.as_mut_ptr().cast();
        header.msg_controllen = (before + space) as _;
    }
}
