//! sendmmsg(2) with UDP_SEGMENT, and without where that is refused.
use super::addr::SockAddr;
use super::plan::{Failed, Message, failed, loses_source, no_way, plan};
use super::{Datagrams, Socket, Sockets};
use crate::counters::{Counters, add};
use crate::events::{Events, Level};
use crate::sys::{EventFd, cvt, poll};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::AsRawFd;

/// Messages in one system call.
const BATCH: usize = 64;

/// Sends batches; one a thread, since it keeps its buffers.
#[derive(Default)]
pub struct Sender {
    messages: Vec<Message>,
    iov: Vec<libc::iovec>,
    lost: Vec<(Range<usize>, i32)>,
}

// SAFETY: `iov` points into packets only while `send` runs, which borrows them.
unsafe impl Send for Sender {}

/// Room for control messages: UDP_SEGMENT, and the address to send from.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

impl Sender {
    /// Sends all of `batch`; what can't be sent is counted and lost.
    ///
    /// With `wake`, waits while a socket takes no more, until `wake` is signalled; that is taken back then, and the rest
    /// is lost. Without it never waits: what isn't taken at once is lost.
    pub fn send(
        &mut self,
        sockets: &Sockets,
        batch: &(impl Datagrams + ?Sized),
        wake: Option<&EventFd>,
        counters: &Counters,
        events: &Events,
    ) {
        self.messages.clear();
        self.lost.clear();
        let gso = |to: &SocketAddr| sockets.towards(to).is_some_and(|s| s.segments(to.ip()));
        let datagrams = || (0..batch.count()).map(|i| batch.get(i));
        plan(datagrams().map(|(bytes, to)| (bytes.len(), to)), gso, &mut self.messages);
        self.iov.clear();
        self.iov.extend(datagrams().map(|(bytes, _)| libc::iovec {
            // sendmmsg doesn't write to it.
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        }));
        let mut at = 0;
        while let Some(message) = self.messages.get(at) {
            let Some(socket) = sockets.towards(&message.to) else {
                counters.send_failed(libc::EAFNOSUPPORT, message.datagrams.len() as u64);
                self.lost.push((message.datagrams.clone(), libc::EAFNOSUPPORT));
                at += 1;
                continue;
            };
            let error = match self.send_some(sockets, socket, at) {
                Ok(n) => {
                    at += n.max(1);
                    continue;
                }
                Err(e) => e.raw_os_error().unwrap_or(0),
            };
            // Perhaps because of the address that it should be sent from.
            if loses_source(error) && sockets.sources.refused(&message.to) {
                continue;
            }
            let verdict = failed(error, message.is_segmented());
            match (verdict, wake) {
                (Failed::Again, _) => {}
                (Failed::Wait, Some(wake)) => {
                    let ready = poll([(socket.as_raw_fd(), libc::POLLOUT), (wake.as_raw_fd(), libc::POLLIN)], -1);
                    if ready[1] != 0 {
                        wake.drain();
                        self.lost.push((message.datagrams.start..batch.count(), error));
                        break;
                    }
                }
                (Failed::Unsegment | Failed::Narrow, _) => {
                    let narrow = (verdict == Failed::Narrow).then_some(message.to.ip());
                    if socket.give_up_segments(narrow) {
                        let error = io::Error::from_raw_os_error(error);
                        let to = narrow.map(|ip| format!(" to {ip}")).unwrap_or_default();
                        let text = format!("udp: kernel won't segment{to} ({error}), sending one by one");
                        events.log(Level::Warning, text);
                    }
                    add(&counters.gso_refused, message.datagrams.len());
                    self.unsegment(at, narrow);
                }
                (Failed::Wait, None) | (Failed::Lost(_), _) => {
                    counters.send_failed(error, message.datagrams.len() as u64);
                    self.lost.push((message.datagrams.clone(), error));
                    at += 1;
                }
            }
        }
        self.iov.clear();
    }

    /// Whether this datagram of the last batch was not sent.
    pub fn lost(&self, datagram: usize) -> bool {
        self.lost.iter().any(|(range, _)| range.contains(&datagram))
    }

    /// Why this datagram of the last batch was not sent.
    pub fn errno(&self, datagram: usize) -> Option<i32> {
        self.lost.iter().find(|(range, _)| range.contains(&datagram)).map(|(_, errno)| *errno)
    }

    /// Whether everything of the last batch was sent.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty()
    }

    /// Whether this datagram of the last batch was not sent because the host has no way to its address.
    pub fn has_no_way(&self, datagram: usize) -> bool {
        self.lost.iter().any(|(range, errno)| range.contains(&datagram) && no_way(*errno))
    }

    /// One call for messages from `at` on that go through this socket; gives how many went.
    fn send_some(&self, sockets: &Sockets, socket: &Socket, at: usize) -> io::Result<usize> {
        // SAFETY: all zeros is a valid mmsghdr: no name, no data, no control.
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        let mut controls = [Control([0; 64]); BATCH];
        let mut names = [SockAddr::empty(); BATCH];
        let mut pieces = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        let v4 = self.messages[at].to.is_ipv4();
        let messages = self.messages[at..].iter().take_while(|m| m.to.is_ipv4() == v4).take(BATCH);
        let mut n = 0;
        let room = headers.iter_mut().zip(&mut controls).zip(&mut names).zip(&mut pieces);
        for (message, (((header, control), name), whole)) in messages.zip(room) {
            *name = message.to.into();
            let header = &mut header.msg_hdr;
            header.msg_name = name.as_ptr().cast_mut().cast();
            header.msg_namelen = name.len();
            let iov = &self.iov[message.datagrams.clone()];
            (header.msg_iov, header.msg_iovlen) = match in_one_piece(iov) {
                Some(one) => {
                    *whole = one;
                    (&raw mut *whole, 1)
                }
                None => (iov.as_ptr().cast_mut(), iov.len()),
            };
            if message.is_segmented() {
                control.push(header, libc::SOL_UDP, libc::UDP_SEGMENT, message.segment as u16);
            }
            match sockets.source(message.to) {
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
        cvt(unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), n, 0) } as isize)
    }

    /// Replaces the message at `at` by one a datagram, and those after it as well; with `only`, those to this address.
    fn unsegment(&mut self, at: usize, only: Option<IpAddr>) {
        let rest = self.messages.split_off(at);
        for m in rest {
            if only.is_some_and(|ip| ip != m.to.ip()) {
                self.messages.push(m);
                continue;
            }
            let lens = m.datagrams.clone();
            self.messages.extend(lens.map(|i| Message { datagrams: i..i + 1, segment: self.iov[i].iov_len, to: m.to }));
        }
    }
}

/// The same bytes as one piece, where each begins where the one before ends: less for the kernel to walk.
fn in_one_piece(iov: &[libc::iovec]) -> Option<libc::iovec> {
    let follows = |pair: &[libc::iovec]| pair[0].iov_base.wrapping_byte_add(pair[0].iov_len) == pair[1].iov_base;
    let iov_len = iov.iter().map(|piece| piece.iov_len).sum();
    iov.windows(2).all(follows).then_some(libc::iovec { iov_base: iov.first()?.iov_base, iov_len })
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

#[cfg(test)]
mod tests {
    use super::super::{Binding, Outgoing, Wire};
    use super::*;
    use crate::sys::EventFd;
    use std::net::UdpSocket;
    use std::sync::atomic::Ordering::Relaxed;

    fn packet(fill: u8, len: usize) -> Wire {
        Wire::raw(&vec![fill; len])
    }

    fn send(batch: &[Outgoing]) -> Counters {
        let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
        let (counters, events, wake) = (Counters::default(), Events::new().unwrap(), EventFd::new().unwrap());
        Sender::default().send(&sockets, batch, Some(&wake), &counters, &events);
        counters
    }

    #[test]
    fn a_batch_arrives_whole_and_in_order() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = there.local_addr().unwrap();
        let batch: Vec<_> = (0..100).map(|i| (packet(i, 500 + usize::from(i) / 50), to)).collect();
        send(&batch);
        let mut buf = [0; 2000];
        for (sent, _) in &batch {
            let n = there.recv(&mut buf).unwrap();
            assert_eq!(&buf[..n], sent.bytes());
        }
    }

    #[test]
    fn what_one_path_refuses_is_not_given_up_for_the_others() {
        let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
        let (counters, events) = (Counters::default(), Events::new().unwrap());
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Port 0 is refused with EINVAL.
        let nowhere = SocketAddr::from(([127, 0, 0, 2], 0));
        let mut sender = Sender::default();
        for _ in 0..2 {
            let mut batch = vec![];
            for to in [nowhere, nowhere, there.local_addr().unwrap(), there.local_addr().unwrap()] {
                batch.push((packet(7, 9), to));
            }
            sender.send(&sockets, &batch[..], None, &counters, &events);
            assert_eq!(counters.gso_refused.load(Relaxed), 2);
            let mut buf = [0; 99];
            for _ in 0..2 {
                assert_eq!(there.recv(&mut buf).unwrap(), 9);
            }
        }
        assert!(sockets.describe().contains("v4 gso=true"), "{}", sockets.describe());
        assert!((0..4).map(|i| sender.lost(i)).eq([true, true, false, false]));
        assert_eq!(events.take().len(), 1);
    }

    #[test]
    fn what_cannot_be_sent_does_not_hold_up_the_rest() {
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = there.local_addr().unwrap();
        // Port 0 is refused with EINVAL.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let counters = send(&[(packet(1, 9), nowhere), (packet(2, 9), to)]);
        let mut buf = [0; 9];
        there.recv(&mut buf).unwrap();
        assert_eq!(buf, [2; 9]);
        assert!(counters.named().contains(&("send_EINVAL".into(), 1)));
        assert_eq!(counters.gso_refused.load(Relaxed), 0);
    }
}
