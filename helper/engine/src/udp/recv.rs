//! recvmmsg(2) with UDP_GRO into large buffers, which are cut into datagrams without copying.
use super::Socket;
use super::addr::SockAddr;
use super::source::Arrival;
use crate::arrived::{Arrived, BUFFERS};
use crate::sys::cvt;
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
        libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), n, libc::MSG_DONTWAIT, std::ptr::null_mut())
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

#[cfg(test)]
mod tests {
    use super::super::{Binding, Sockets};
    use super::*;
    use crate::arrived::Taken;
    use std::net::UdpSocket;

    #[test]
    fn datagrams_come_out_as_they_were_sent() {
        let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        for i in 0..40u8 {
            there.send_to(&vec![i; 1 + usize::from(i)], ("127.0.0.1", sockets.port)).unwrap();
        }
        let socket = sockets.v4.as_ref().unwrap();
        let mut arrived = Arrived::default();
        let mut seen = 0;
        while receive(socket, &mut arrived).is_ok() {
            for i in 0..arrived.count() {
                let from = arrived.from(i);
                assert_eq!(from, there.local_addr().unwrap());
                let arrival = arrived.arrival(&from);
                assert!(arrival.is_none_or(|a| a.local == IpAddr::from([127, 0, 0, 1])), "{arrival:?}");
                let Taken::Control(bytes) = arrived.take(i) else { panic!() };
                assert_eq!(bytes, vec![seen as u8; 1 + seen]);
                seen += 1;
            }
            arrived.clear();
        }
        assert_eq!(seen, 40);
    }

    #[test]
    fn a_datagram_says_where_it_arrived_unless_another_says_otherwise() {
        let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
        let mut arrived = Arrived::default();
        for (there, locals) in
            [("127.0.0.9", vec!["127.0.0.3"]), ("127.0.0.9", vec!["127.0.0.3", "127.0.0.4"]), ("::1", vec!["::1"])]
        {
            let there = UdpSocket::bind((there, 0)).unwrap();
            for local in &locals {
                there.send_to(&[1], (*local, sockets.port)).unwrap();
            }
            let from = there.local_addr().unwrap();
            let socket = sockets.towards(&from).unwrap();
            arrived.clear();
            receive(socket, &mut arrived).unwrap();
            assert_eq!(arrived.count(), locals.len());
            let expected = (locals.len() == 1).then(|| locals[0].parse().unwrap());
            assert_eq!(arrived.arrival(&from).map(|a| a.local), expected);
        }
    }
}
