//! From the TUN to the peers, in parts that don't know which thread runs them: gather, encrypt, send.
use crate::counters::add;
use crate::offload::{VNET_HDR_LEN, split};
use crate::peer::Peer;
use crate::prefix::Table;
use crate::shared::Shared;
use crate::tun::LARGEST_READ;
use crate::udp::{Outgoing, Sender, Sockets};
use gotatun::packet::{Packet, PacketBufPool, WgKind};
use gotatun::tun::MtuWatcher;
use std::io;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Reads gathered before they are encrypted; a large one goes on at once.
const READS: usize = 16;
const ENOUGH: usize = 32;
/// Most packets and their padding fit; longer ones are allocated.
const POOLED: usize = 2048;

/// Packets of one peer that follow each other.
struct Run {
    peer: Arc<Peer>,
    plain: usize,
    sealed: Range<usize>,
}

/// A batch on its way, and the buffers that batches share.
pub struct Outbound {
    buf: Box<[u8; LARGEST_READ]>,
    pool: PacketBufPool<POOLED>,
    plain: Vec<Packet>,
    sealed: Vec<Outgoing>,
    runs: Vec<Run>,
    sender: Sender,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            buf: vec![0; LARGEST_READ].into_boxed_slice().try_into().expect("the length is the array's"),
            pool: PacketBufPool::new(64),
            plain: Vec::new(),
            sealed: Vec::new(),
            runs: Vec::new(),
            sender: Sender::default(),
        }
    }
}

impl Outbound {
    /// Reads what is there, up to a batch, and finds each packet's peer. False when there was nothing to read.
    pub fn gather(&mut self, shared: &Shared, routes: &Table<Arc<Peer>>) -> io::Result<bool> {
        self.plain.clear();
        self.runs.clear();
        for i in 0..READS {
            let n = match shared.tun.read(&mut self.buf) {
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(i > 0),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            // One read is one flow, so it has one peer.
            let packet = self.buf.get(VNET_HDR_LEN..n).unwrap_or_default();
            let Some(peer) = destination(packet).and_then(|to| routes.find(to)) else {
                add(&shared.counters.tx_unroutable, 1);
                continue;
            };
            let before = self.plain.len();
            let (plain, pool) = (&mut self.plain, &self.pool);
            if split(&mut self.buf[..n], |head, body| plain.push(join(pool, head, body))).is_err() {
                self.plain.truncate(before);
                add(&shared.counters.tx_unroutable, 1);
                continue;
            }
            let count = self.plain.len() - before;
            match self.runs.last_mut() {
                Some(run) if Arc::ptr_eq(&run.peer, peer) => run.plain += count,
                _ => self.runs.push(Run { peer: Arc::clone(peer), plain: count, sealed: 0..0 }),
            }
            if self.plain.len() >= ENOUGH {
                break;
            }
        }
        Ok(true)
    }

    /// Encrypts the batch; a packet without a session is kept by gotatun, and begins a handshake.
    pub fn encrypt(&mut self, shared: &Shared) {
        let mut mtu = MtuWatcher::new(shared.mtu.load(Relaxed));
        let now = Instant::now();
        let mut plain = self.plain.drain(..);
        for run in &mut self.runs {
            let from = self.sealed.len();
            let packets = plain.by_ref().take(run.plain);
            let mut state = run.peer.state.lock();
            let Some(endpoint) = state.endpoint() else {
                add(&shared.counters.tx_no_endpoint, packets.count());
                continue;
            };
            for packet in packets {
                match state.tunn.handle_outgoing_packet(packet, Some(&mut mtu)) {
                    Some(WgKind::HandshakeInit(message)) => shared.begin(&run.peer, &mut state, message, now),
                    Some(message) => self.sealed.push((message.into(), endpoint)),
                    None => {}
                }
            }
            run.sealed = from..self.sealed.len();
            if !run.sealed.is_empty() {
                state.spoke(now);
            }
        }
    }

    /// Sends the batch, waiting while the sockets are full: what comes behind then waits in the TUN's queue. Nothing of
    /// it is left afterwards.
    pub fn send(&mut self, shared: &Shared, sockets: &Sockets) {
        if self.sealed.is_empty() {
            return self.clear();
        }
        self.sender.send(sockets, &self.sealed, Some(&shared.tx_wake), &shared.counters, &shared.events);
        for run in &self.runs {
            let sent = run.sealed.clone().filter(|i| !self.sender.lost(*i));
            add(&run.peer.tx_bytes, sent.map(|i| self.sealed[i].0.len()).sum());
        }
        if !self.sender.is_clean() {
            self.look_for_ways(shared);
        }
        self.clear();
    }

    /// Some of the batch is lost: has a peer gone out of reach?
    fn look_for_ways(&self, shared: &Shared) {
        let now = Instant::now();
        for run in self.runs.iter().filter(|run| run.sealed.clone().any(|i| self.sender.has_no_way(i))) {
            if run.peer.state.lock().lost_way(now) {
                shared.timer_wake.signal();
            }
        }
    }

    /// Drops the batch, which also lets go of its peers.
    pub fn clear(&mut self) {
        self.plain.clear();
        self.sealed.clear();
        self.runs.clear();
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

fn join(pool: &PacketBufPool<POOLED>, head: &[u8], body: &[u8]) -> Packet {
    let mut packet = if head.len() + body.len() + 16 <= POOLED { pool.get() } else { Packet::default() };
    let buf = packet.buf_mut();
    buf.clear();
    buf.reserve((head.len() + body.len()).next_multiple_of(16));
    buf.extend_from_slice(head);
    buf.extend_from_slice(body);
    packet
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
