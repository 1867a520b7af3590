//! From the TUN to the peers, in parts that don't know which thread runs them: gather, claim, seal, send.
use crate::batch::{Plain, Sealed};
use crate::counters::add;
use crate::offload::{VNET_HDR_LEN, fit};
use crate::peer::Peer;
use crate::prefix::Table;
use crate::shared::{Shared, count_sent};
use crate::tun::LARGEST_READ;
use crate::udp::{Datagrams, Outgoing, Sender, Sockets, Wire};
use gotatun::packet::{Packet, WgKind};
use gotatun::tun::MtuWatcher;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Reads gathered before they are encrypted, until there are so many packets of them: two or three reads of 64 KiB, which
/// still fit into a core's cache, and wake who receives them once.
const READS: usize = 16;
const ENOUGH: usize = 96;

/// Reads the TUN.
pub struct Reader {
    buf: Box<[u8; LARGEST_READ]>,
}

/// Hands batches to the sockets.
#[derive(Default)]
pub struct Outlet {
    sender: Sender,
}

impl Default for Reader {
    fn default() -> Self {
        Self { buf: vec![0; LARGEST_READ].into_boxed_slice().try_into().expect("the length is the array's") }
    }
}

impl Reader {
    /// Reads what is there, up to a batch, and finds each packet's peer. False when there was nothing to read.
    pub fn gather(&mut self, shared: &Shared, routes: &Table<Arc<Peer>>, batch: &mut Plain) -> io::Result<bool> {
        let mtu = shared.mtu.load(Relaxed);
        for i in 0..READS {
            let n = match shared.tun.read(&mut self.buf) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(i > 0),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            // One read is one flow, so it has one peer.
            let packet = self.buf.get(VNET_HDR_LEN..n).unwrap_or_default();
            let peer = destination(packet).and_then(|to| routes.find(to));
            let limit = peer.map_or(0, |peer| peer.limit.load(Relaxed));
            if limit != 0
                && let Some(too_big) = fit(&mut self.buf[..n], limit)
            {
                shared.tun.answer(&too_big, &shared.counters);
                continue;
            }
            let padded = |peer: &Peer| usize::from(peer.padded_to(mtu));
            if peer.is_none_or(|peer| batch.add(peer, &mut self.buf[..n], padded(peer)).is_err()) {
                add(&shared.counters.tx_unroutable, 1);
            }
            if batch.count() >= ENOUGH {
                break;
            }
        }
        Ok(true)
    }
}

/// Takes the counters of a batch. What has no session yet is kept by gotatun, and begins a handshake; what it gives back
/// since there is one now goes before the batch.
pub fn claim(shared: &Shared, batch: &mut Plain) -> (Vec<Outgoing>, Vec<Arc<Peer>>) {
    let (mut first, mut peers) = (Vec::new(), Vec::new());
    batch.claim(|peer, contents| {
        let mut state = peer.lock();
        let Some(endpoint) = state.endpoint() else {
            add(&shared.counters.tx_no_endpoint, contents.count());
            return;
        };
        let mut mtu = MtuWatcher::new(peer.padded_to(shared.mtu.load(Relaxed)));
        for content in contents {
            match state.tunn.handle_outgoing_packet(Packet::copy_from(content), Some(&mut mtu)) {
                Some(WgKind::HandshakeInit(message)) => shared.begin(peer, &mut state, message, Instant::now()),
                Some(message) => {
                    first.push((Wire::from(message), endpoint));
                    peers.push(Arc::clone(peer));
                }
                None => {}
            }
        }
    });
    (first, peers)
}

impl Outlet {
    /// Sends the batch, waiting while the sockets are full: what comes behind then waits in the TUN's queue.
    pub fn send(&mut self, shared: &Shared, sockets: &Sockets, batch: &Sealed) {
        if batch.count() == 0 {
            return;
        }
        self.sender.send(sockets, batch, Some(&shared.send_wake), &shared.counters, &shared.events);
        for (peer, messages) in batch.runs() {
            let sent = messages.filter(|i| self.sender.is_clean() || !self.sender.lost(*i));
            add(&peer.tx_bytes, sent.map(|i| batch.get(i).0.len()).sum());
        }
        if !self.sender.is_clean() {
            self.look_for_ways(shared, batch);
        }
    }

    /// Sends the few messages that were sealed one by one.
    pub fn send_first(&mut self, shared: &Shared, sockets: &Sockets, first: &[Outgoing], peers: &[Arc<Peer>]) {
        if !first.is_empty() {
            self.sender.send(sockets, first, Some(&shared.send_wake), &shared.counters, &shared.events);
            count_sent(&self.sender, peers, first);
        }
    }

    /// Some of the batch is lost: has a peer gone out of reach?
    fn look_for_ways(&self, shared: &Shared, batch: &Sealed) {
        let now = Instant::now();
        for (peer, mut messages) in batch.runs() {
            if messages.any(|i| self.sender.has_no_way(i)) && peer.lock().lost_way(now) {
                shared.look(peer);
            }
        }
    }
}

/// Where an IP packet goes to.
pub fn destination(packet: &[u8]) -> Option<IpAddr> {
    address(packet, 16, 24)
}

/// Where an IP packet says that it comes from.
pub fn source(packet: &[u8]) -> Option<IpAddr> {
    address(packet, 12, 8)
}

fn address(packet: &[u8], at4: usize, at6: usize) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(IpAddr::from(*packet.get(at4..)?.first_chunk::<4>()?)),
        6 => Some(IpAddr::from(*packet.get(at6..)?.first_chunk::<16>()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_both_families() {
        let mut v4 = [0u8; 20];
        v4[0] = 0x45;
        v4[12..20].copy_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2]);
        assert_eq!(source(&v4), Some([10, 0, 0, 1].into()));
        assert_eq!(destination(&v4), Some([10, 0, 0, 2].into()));
        let mut v6 = [0u8; 40];
        (v6[0], v6[23], v6[39]) = (0x60, 1, 2);
        assert_eq!(source(&v6), Some("::1".parse().unwrap()));
        assert_eq!(destination(&v6), Some("::2".parse().unwrap()));
    }

    #[test]
    fn what_is_too_short_has_no_address() {
        for packet in [&[][..], &[0x45; 15], &[0x60; 23], &[0x15; 99]] {
            assert_eq!(source(packet).or(destination(packet)), None);
        }
    }
}
