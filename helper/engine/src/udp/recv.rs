//! recvmmsg(2) with UDP_GRO into large buffers, which are cut into datagrams without copying.
use super::Socket;
use super::addr::SockAddr;
use crate::sys::cvt;
use bytes::BytesMut;
use gotatun::packet::Packet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// Buffers in one system call.
const BATCH: usize = 16;
/// The longest that the kernel gives at once.
const LARGEST: usize = 65_536;

/// Receives batches; one a thread, since it keeps its buffers.
pub struct Receiver {
    buffers: [BytesMut; BATCH],
}

impl Default for Receiver {
    fn default() -> Self {
        Self { buffers: std::array::from_fn(|_| BytesMut::new()) }
    }
}

/// Room for one UDP_GRO control message.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 32]);

impl Receiver {
    /// Adds all that is there now to `out`. EAGAIN when there is nothing.
    pub fn receive(&mut self, socket: &Socket, out: &mut Vec<(Packet, SocketAddr)>) -> io::Result<()> {
        // SAFETY: all zeros is a valid mmsghdr and a valid, empty iovec.
        let (mut headers, mut iov): ([libc::mmsghdr; BATCH], [libc::iovec; BATCH]) = unsafe { std::mem::zeroed() };
        let mut controls = [Control([0; 32]); BATCH];
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
            let segment = segment_size(&header.msg_hdr).filter(|s| *s > 0).unwrap_or(len);
            while !buffer.is_empty() {
                let datagram = buffer.split_to(segment.min(buffer.len()));
                out.push((Packet::from_bytes(datagram), from));
            }
        }
        Ok(())
    }
}

/// How long each datagram but the last is, when the kernel has joined several.
fn segment_size(header: &libc::msghdr) -> Option<usize> {
    // SAFETY: the kernel has filled in the control buffer and its length; the CMSG macros stay within.
    unsafe {
        let mut c = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = c.as_ref() {
            if control.cmsg_level == libc::SOL_UDP && control.cmsg_type == libc::UDP_GRO {
                let size = libc::CMSG_DATA(c).cast::<i32>().read_unaligned();
                return usize::try_from(size).ok();
            }
            c = libc::CMSG_NXTHDR(header, c);
        }
    }
    None
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
        }
    }
}
