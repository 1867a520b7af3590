//! Sends batches, several datagrams of one length in one message where the system cuts these, and what to do when it
//! refuses.
use super::os::{Piece, send_some};
use super::plan::{Failed, Message, failed, loses_source, no_way, plan};
use super::{Datagrams, Sockets};
use crate::counters::{Counters, add};
use crate::events::{Events, Level};
use crate::sys::{Signal, errno, wait};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// Sends batches; one a thread, since it keeps its buffers.
#[derive(Default)]
pub struct Sender {
    messages: Vec<Message>,
    pieces: Vec<Piece>,
    lost: Vec<(Range<usize>, i32)>,
    whole: bool,
}

// SAFETY: `pieces` points into packets only while `send` runs, which borrows them.
unsafe impl Send for Sender {}

impl Sender {
    /// One that sends nothing in pieces, however narrow the path is.
    pub fn of_wholes() -> Self {
        Self { whole: true, ..Self::default() }
    }

    /// Sends all of `batch`; what can't be sent is counted and lost.
    ///
    /// With `wake`, waits while a socket takes no more, until `wake` is signalled; that is taken back then, and the rest
    /// is lost. Without it never waits: what isn't taken at once is lost.
    pub fn send(
        &mut self,
        sockets: &Sockets,
        batch: &(impl Datagrams + ?Sized),
        wake: Option<&Signal>,
        counters: &Counters,
        events: &Events,
    ) {
        self.messages.clear();
        self.lost.clear();
        let gso = |to: &SocketAddr| sockets.towards(to).is_some_and(|s| s.segments(to.ip()));
        let datagrams = || (0..batch.count()).map(|i| batch.get(i));
        plan(datagrams().map(|(bytes, to)| (bytes.len(), to)), gso, &mut self.messages);
        self.pieces.clear();
        self.pieces.extend(datagrams().map(|(bytes, _)| Piece::new(bytes)));
        let mut at = 0;
        while let Some(message) = self.messages.get(at) {
            let Some(socket) = sockets.towards(&message.to) else {
                counters.send_failed(errno::EAFNOSUPPORT, message.datagrams.len() as u64);
                self.lost.push((message.datagrams.clone(), errno::EAFNOSUPPORT));
                at += 1;
                continue;
            };
            if !self.whole && sockets.cuts(message) {
                for i in message.datagrams.clone() {
                    if let Err(error) = sockets.send_cut(message.to, batch.get(i).0) {
                        let error = error.raw_os_error().unwrap_or(0);
                        counters.send_failed(error, 1);
                        self.lost.push((i..i + 1, error));
                    }
                }
                at += 1;
                continue;
            }
            let rest = &self.messages[at..];
            let cut = rest.iter().position(|m| !self.whole && sockets.cuts(m)).unwrap_or(rest.len());
            let source = |to| sockets.source(to);
            let error = match send_some(&socket.raw, &rest[..cut], &self.pieces, source) {
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
                    let [_, woken] = wait([socket.raw.writable(), wake.raised()], -1);
                    if woken {
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
        self.pieces.clear();
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

    /// Replaces the message at `at` by one a datagram, and those after it as well; with `only`, those to this address.
    fn unsegment(&mut self, at: usize, only: Option<IpAddr>) {
        let rest = self.messages.split_off(at);
        for m in rest {
            if only.is_some_and(|ip| ip != m.to.ip()) {
                self.messages.push(m);
                continue;
            }
            let lens = m.datagrams.clone();
            self.messages.extend(lens.map(|i| Message {
                datagrams: i..i + 1,
                segment: self.pieces[i].len(),
                to: m.to,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Binding, Outgoing, Wire};
    use super::*;
    use std::net::UdpSocket;
    use std::sync::atomic::Ordering::Relaxed;

    fn packet(fill: u8, len: usize) -> Wire {
        Wire::raw(&vec![fill; len])
    }

    fn send(batch: &[Outgoing]) -> Counters {
        let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
        let (counters, events, wake) = (Counters::default(), Events::new().unwrap(), Signal::new().unwrap());
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

    #[cfg(target_os = "linux")]
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
