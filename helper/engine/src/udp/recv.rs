//! recvmmsg(2) with UDP_GRO into large buffers, which are cut into datagrams without copying.
use super::Socket;
use super::addr::SockAddr;
use super::source::Arrival;
use crate::sys::cvt;
use bytes::BytesMut;
use gotatun::packet::Packet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

/// Buffers in one system call.
const BATCH: usize = 16;
/// The longest that the kernel gives at once.
const LARGEST: usize = 65_536;

/// Receives batches; one a thread, since it keeps its buffers.
pub struct Receiver {
    buffers: [BytesMut; BATCH],
    arrivals: Vec<(SocketAddr, Option<Arrival>)>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self { buffers: std::array::from_fn(|_| BytesMut::new()), arrivals: Vec::new() }
    }
}

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

impl Receiver {
    /// Adds all that is there now to `out`. EAGAIN when there is nothing.
    pub fn receive(&mut self, socket: &Socket, out: &mut Vec<(Packet, SocketAddr)>) -> io::Result<()> {
        // SAFETY: all zeros is a valid mmsghdr and a valid, empty iovec.
        let (mut headers, mut iov): ([libc::mmsghdr; BATCH], [libc::iovec; BATCH]) = unsafe { std::mem::zeroed() };
        let mut controls = [Control([0; 96]); BATCH];
        self.arrivals.clear();
        let mut names = [SockAddr::empty(); BATCH];
        for (i, buffer) in self.buffers.iter_mut().enumerate() {
            // What was split off has been dropped by now, so this takes the old memory back.
            buffer.clear();
            buffer.reserve(LARGEST);
            iov[i] = libc::iovec { iov_base: buffer.spare_capacity_mut().as_mut_ptr().cast(), iov_len: LARGEST };
            let header = &mut headers[i].msg_hdr;
            header.msg_name = (&raw mut names[i]).cast();
            header.msg_namelen = size_of::<SockAddr>() as libc::socklen_t;
            header.msg_iov = &raw mut iov[i];
            header.msg_iovlen = 1;
            header.msg_control = controls[i].0.as_mut_ptr().cast();
            header.msg_controllen = size_of::<Control>() as _;
        }
        let n = BATCH as u32;
        // SAFETY: every header points to its own name, control and `LARGEST` writable bytes, which live until the
        // call returns; no time-out is given.
        let n = cvt(unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), n, libc::MSG_DONTWAIT, std::ptr::null_mut())
        } as isize)?;
        for ((buffer, header), name) in self.buffers.iter_mut().zip(&headers).zip(&names).take(n) {
            let len = (header.msg_len as usize).min(LARGEST);
            // SAFETY: the kernel has written that many bytes at the start of the spare capacity.
            unsafe { buffer.set_len(len) };
            let Some(from) = name.get() else { continue };
            let said = said(&header.msg_hdr);
            match self.arrivals.iter_mut().find(|(known, _)| *known == from) {
                // One of them may be forged.
                Some((_, arrival)) if *arrival != said.arrival => *arrival = None,
                Some(_) => {}
                None => self.arrivals.push((from, said.arrival)),
            }
            let segment = said.segment.filter(|s| *s > 0).unwrap_or(len);
            while !buffer.is_empty() {
                let datagram = buffer.split_to(segment.min(buffer.len()));
                out.push((Packet::from_bytes(datagram), from));
            }
        }
        Ok(())
    }

    /// Where the datagrams of `from` in the last batch arrived; none when they differ.
    pub fn arrival(&self, from: &SocketAddr) -> Option<Arrival> {
        self.arrivals.iter().find(|(known, _)| known == from)?.1
    }
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
    use std::net::UdpSocket;

    #[test]
    fn datagrams_come_out_as_they_were_sent() {
        let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        for i in 0..40u8 {
            there.send_to(&vec![i; 1 + usize::from(i)], ("127.0.0.1", sockets.port)).unwrap();
        }
        let (mut receiver, mut out) = (Receiver::default(), vec![]);
        let socket = sockets.v4.as_ref().unwrap();
        while receiver.receive(socket, &mut out).is_ok() {}
        assert_eq!(out.len(), 40);
        for (i, (packet, from)) in out.iter().enumerate() {
            assert_eq!(packet[..], vec![i as u8; 1 + i]);
            assert_eq!(*from, there.local_addr().unwrap());
            let arrival = receiver.arrival(from);
            assert!(arrival.is_none_or(|a| a.local == IpAddr::from([127, 0, 0, 1])), "{arrival:?}");
        }
    }

    #[test]
    fn a_datagram_says_where_it_arrived_unless_another_says_otherwise() {
        let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
        let mut receiver = Receiver::default();
        for (there, locals) in
            [("127.0.0.9", vec!["127.0.0.3"]), ("127.0.0.9", vec!["127.0.0.3", "127.0.0.4"]), ("::1", vec!["::1"])]
        {
            let there = UdpSocket::bind((there, 0)).unwrap();
            for local in &locals {
                there.send_to(&[1], (*local, sockets.port)).unwrap();
            }
            let from = there.local_addr().unwrap();
            let socket = sockets.towards(&from).unwrap();
            let mut out = vec![];
            receiver.receive(socket, &mut out).unwrap();
            assert_eq!(out.len(), locals.len());
            let expected = (locals.len() == 1).then(|| locals[0].parse().unwrap());
            assert_eq!(receiver.arrival(&from).map(|a| a.local), expected);
        }
    }
}
