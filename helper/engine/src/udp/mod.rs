//! The UDP side: one IPv4 and one IPv6 socket on the same port.
#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod os;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod os;

mod literal;
mod narrow;
mod plan;
mod send;
mod source;
#[cfg(test)]
mod tests;
mod wire;

pub use literal::parse_ip;
pub use os::receive;
pub use send::Sender;
pub use source::Arrival;
pub use wire::{Datagrams, Outgoing, Wire};

use crate::sys::{Waitable, errno};
use narrow::Narrow;
use os::{Gives, Pieces, Raw, Routes};
use plan::Message;
use source::Sources;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Instant;

/// How much the system may hold for us, each way; wireguard-go's value.
const BUFFER: i32 = 7 << 20;
/// Tries to find a port that is free in both families.
const PORT_TRIES: usize = 100;

/// What the sockets shall be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// 0: any.
    pub port: u16,
    /// SO_MARK; 0: none.
    pub fwmark: u32,
    /// SO_BINDTODEVICE.
    pub device: Option<String>,
}

/// Both sockets. A host without IPv6 (or without IPv4) has the other one only.
#[derive(Debug)]
pub struct Sockets {
    pub v4: Option<Socket>,
    pub v6: Option<Socket>,
    pub port: u16,
    sources: Sources,
    /// None where the kernel's ways can't be asked for; then the choice of our address is the kernel's.
    routes: Option<Routes>,
    pieces: Pieces,
    mark: AtomicU32,
    // Last, so that it goes after the sockets are closed.
    _closed: mpsc::Sender<()>,
}

#[derive(Debug)]
pub struct Socket {
    raw: Raw,
    /// UDP_SEGMENT is known, and wasn't refused for good.
    gso: AtomicBool,
    narrow: Narrow,
    /// It has been logged that the kernel refused to segment.
    told: AtomicBool,
    /// UDP_GRO is on.
    gro: bool,
}

impl Sockets {
    /// Also gives a receiver that reports disconnection once both sockets are closed.
    pub fn open(binding: &Binding) -> io::Result<(Self, mpsc::Receiver<()>)> {
        let mut tries = if binding.port == 0 { PORT_TRIES } else { 1 };
        let (v4, v6, port) = loop {
            tries -= 1;
            match open_pair(binding) {
                Err(e) if e.raw_os_error() == Some(errno::EADDRINUSE) && tries > 0 => {}
                result => break result?,
            }
        };
        let (closed, watch) = mpsc::channel();
        let (sources, routes, mark) = (Sources::default(), Routes::open().ok(), binding.fwmark.into());
        let pieces = Pieces::open(binding, port, RandomState::new().hash_one(port) as u32);
        Ok((Self { v4, v6, port, sources, routes, pieces, mark, _closed: closed }, watch))
    }

    /// The one that reaches this address.
    pub fn towards(&self, addr: &SocketAddr) -> Option<&Socket> {
        if addr.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }

    pub fn each(&self) -> impl Iterator<Item = &Socket> {
        self.v4.iter().chain(&self.v6)
    }

    /// An authenticated datagram of `from` came to this address of ours: it is answered from there.
    pub fn called(&self, from: SocketAddr, arrival: Arrival, now: Instant) {
        self.sources.learn(from, arrival, now, |to, from| self.way(to, from));
    }

    /// The address to send from, where that isn't the kernel's choice.
    fn source(&self, to: SocketAddr) -> Option<IpAddr> {
        self.sources.get(to, Instant::now, |to, from| self.way(to, from))
    }

    /// The path there carries IP packets of this length from now on, and what is longer goes in pieces; None: whatever goes.
    pub fn set_path(&self, to: SocketAddr, mtu: Option<u16>) {
        self.pieces.set(to, mtu);
    }

    /// Whether this message's datagrams are longer than their path carries.
    fn cuts(&self, message: &Message) -> bool {
        self.pieces.wants(&message.to, message.segment)
    }

    fn send_cut(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let source = || self.source(to).or_else(|| self.way(to, None)?.source);
        self.pieces.send(to, datagram, source)
    }

    fn way(&self, to: SocketAddr, from: Option<IpAddr>) -> Option<source::Way> {
        self.routes.as_ref()?.way(to, from, self.mark.load(Relaxed))
    }

    pub fn set_fwmark(&self, mark: u32) -> io::Result<()> {
        self.mark.store(mark, Relaxed);
        self.pieces.set_fwmark(mark)?;
        self.each().try_for_each(|s| s.raw.set_fwmark(mark))
    }

    /// What the kernel gives, for the log.
    pub fn describe(&self) -> String {
        let one = |name, s: &Option<Socket>| match s {
            None => format!("{name} none"),
            Some(s) => format!("{name} gso={} gro={}", s.gso.load(Relaxed), s.gro),
        };
        format!("udp port {}: {}, {}", self.port, one("v4", &self.v4), one("v6", &self.v6))
    }
}

fn open_pair(binding: &Binding) -> io::Result<(Option<Socket>, Option<Socket>, u16)> {
    let v4 = without_family(Socket::open((Ipv4Addr::UNSPECIFIED, binding.port).into(), binding))?;
    let port = v4.as_ref().map_or(binding.port, |(_, port)| *port);
    let v6 = without_family(Socket::open((Ipv6Addr::UNSPECIFIED, port).into(), binding))?;
    let port = v6.as_ref().map_or(port, |(_, port)| *port);
    if v4.is_none() && v6.is_none() {
        return Err(io::Error::from_raw_os_error(errno::EAFNOSUPPORT));
    }
    Ok((v4.map(|(s, _)| s), v6.map(|(s, _)| s), port))
}

/// None when this host hasn't that family.
fn without_family<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(e) if matches!(e.raw_os_error(), Some(errno::EAFNOSUPPORT | errno::EADDRNOTAVAIL)) => Ok(None),
        result => result.map(Some),
    }
}

impl Socket {
    fn open(local: SocketAddr, binding: &Binding) -> io::Result<(Self, u16)> {
        let (raw, Gives { gso, gro }, port) = Raw::open(local, binding)?;
        let socket =
            Self { raw, gso: AtomicBool::new(gso), narrow: Narrow::default(), told: AtomicBool::new(false), gro };
        Ok((socket, port))
    }

    /// Until a datagram is there.
    pub fn readable(&self) -> Waitable {
        self.raw.readable()
    }

    /// Whether the kernel may be asked to cut messages to this address.
    fn segments(&self, to: IpAddr) -> bool {
        self.gso.load(Relaxed) && !self.narrow.contains(to, Instant::now)
    }

    /// It may not any more: to one address for a while, or to all. True for the first time.
    fn give_up_segments(&self, to: Option<IpAddr>) -> bool {
        match to {
            Some(to) => self.narrow.insert(to, Instant::now()),
            None => self.gso.store(false, Relaxed),
        }
        !self.told.swap(true, Relaxed)
    }
}
