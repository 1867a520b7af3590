//! recvmmsg(2) with UDP_GRO into large buffers, which are cut into datagrams without copying.
use super::addr::SockAddr;
use crate::arrived::{Arrived, BUFFERS};
use crate::sys::cvt;
use crate::udp::{Arrival, Socket};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

/// Room for control messages: UDP_GRO, and where the datagram arrived.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 96]);

/// What the kernel says of a message.
#[derive(Default)]
struct Said {
    /// How long each datagram but the last is, when the kernel has joined several.
    segment: Option<usize>,
    arrival: Option<Arrival>,
}

/// Fills `into`, which is empty, with what is there now. EAGAIN when there is nothing.
pub fn receive(socket: &Socket, into: &mut Arrived) -> io::Result<()> {
    // SAFETY: all zeros is a valid mmsghdr and a valid, empty iovec.
    let (mut headers, mut iov): ([libc::mmsghdr; BUFFERS], [libc::iovec; BUFFERS]) = unsafe { std::mem::zeroed() };
    let mut controls = [Control([0; 96]); BUFFERS];
    let mut names = [SockAddr::empty(); BUFFERS];
    for (i, buffer) in into.buffers().iter_mut().enumerate() {
        iov[i] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let header = &mut headers[i].msg_hdr;
        header.msg_name = (&raw mut names[i]).cast();
        header.msg_namelen = size_of::<SockAddr>() as libc::socklen_t;
        header.msg_iov = &raw mut iov[i];
        header.msg_iovlen = 1;
        header.msg_control = controls[i].0.as_mut_ptr().cast();
        header.msg_controllen = size_of::<Control>() as _;
    }
    let n = BUFFERS as u32;
    // SAFETY: every header points to its own name, control and buffer, writable for the lengths given, which live and are
    // touched by nobody else until the call returns; no time-out is given.
    let n = cvt(unsafe {
        libc::recvmmsg(socket.raw.0.as_raw_fd(), headers.as_mut_ptr(), n, libc::MSG_DONTWAIT, std::ptr::null_mut())
    } as isize)?;
    for (i, (header, name)) in headers.iter().zip(&names).enumerate().take(n) {
        let Some(from) = name.get() else { continue };
        let length = (header.msg_len as usize).min(iov[i].iov_len);
        let Said { segment, arrival } = said(&header.msg_hdr);
        into.filled(i, length, segment.filter(|s| *s > 0).unwrap_or(length), (from, arrival));
    }
    Ok(())
}

fn said(header: &libc::msghdr) -> Said {
    let mut said = Said::default();
    // SAFETY: the kernel has filled in the control buffer and its length; the CMSG macros stay within, and each kind has
    // the value that is read, of plain integers.
    unsafe {
        let mut c = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = c.as_ref() {
            let data = libc::CMSG_DATA(c);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    said.segment = usize::try_from(data.cast::<i32>().read_unaligned()).ok();
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    let local = IpAddr::from(u32::from_be(info.ipi_spec_dst.s_addr).to_be_bytes());
                    said.arrival = Some(Arrival { local, interface: info.ipi_ifindex as u32 });
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    let local = IpAddr::from(info.ipi6_addr.s6_addr);
                    said.arrival = Some(Arrival { local, interface: info.ipi6_ifindex });
                }
                _ => {}
            }
            c = libc::CMSG_NXTHDR(header, c);
        }
    }
    said
}
