//! The UDP side: one IPv4 and one IPv6 socket on the same port.
mod addr;
mod fragments;
mod narrow;
mod plan;
mod recv;
mod route;
mod send;
mod source;
mod wire;

pub use addr::parse_ip;
pub use recv::receive;
pub use send::Sender;
pub use source::Arrival;
pub use wire::{Datagrams, Outgoing, Wire};

use crate::sys::{cvt, set_nonblocking, setsockopt};
use addr::SockAddr;
use narrow::Narrow;
use route::Routes;
use source::Sources;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Instant;

/// How much the kernel may hold for us, each way; wireguard-go's value.
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
    mark: AtomicU32,
    // Last, so that it goes after the sockets are closed.
    _closed: mpsc::Sender<()>,
}

#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
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
                Err(e) if e.raw_os_error() == Some(libc::EADDRINUSE) && tries > 0 => {}
                result => break result?,
            }
        };
        let (closed, watch) = mpsc::channel();
        let (sources, routes, mark) = (Sources::default(), Routes::open().ok(), binding.fwmark.into());
        Ok((Self { v4, v6, port, sources, routes, mark, _closed: closed }, watch))
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

    fn way(&self, to: SocketAddr, from: Option<IpAddr>) -> Option<source::Way> {
        self.routes.as_ref()?.way(to, from, self.mark.load(Relaxed))
    }

    pub fn set_fwmark(&self, mark: u32) -> io::Result<()> {
        self.mark.store(mark, Relaxed);
        self.each().try_for_each(|s| setsockopt(&s.fd, libc::SOL_SOCKET, libc::SO_MARK, mark))
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

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn open_pair(binding: &Binding) -> io::Result<(Option<Socket>, Option<Socket>, u16)> {
    let v4 = without_family(Socket::open((Ipv4Addr::UNSPECIFIED, binding.port).into(), binding))?;
    let port = v4.as_ref().map_or(binding.port, |(_, port)| *port);
    let v6 = without_family(Socket::open((Ipv6Addr::UNSPECIFIED, port).into(), binding))?;
    let port = v6.as_ref().map_or(port, |(_, port)| *port);
    if v4.is_none() && v6.is_none() {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    Ok((v4.map(|(s, _)| s), v6.map(|(s, _)| s), port))
}

/// None when this host hasn't that family.
fn without_family<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(e) if matches!(e.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)) => Ok(None),
        result => result.map(Some),
    }
}

impl Socket {
    fn open(local: SocketAddr, binding: &Binding) -> io::Result<(Self, u16)> {
        let family = if local.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        // SAFETY: socket gives a fresh descriptor that nobody else owns.
        let fd = unsafe {
            let fd = cvt(libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) as isize)?;
            OwnedFd::from_raw_fd(fd as RawFd)
        };
        set_nonblocking(&fd)?;
        if local.is_ipv6() {
            setsockopt(&fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1i32)?;
        }
        // Kernels before 3.15 can't; theirs is to set DF and to believe in ICMP.
        let _ = fragments::allow(&fd, local.is_ipv4());
        if binding.fwmark != 0 {
            setsockopt(&fd, libc::SOL_SOCKET, libc::SO_MARK, binding.fwmark)?;
        }
        if let Some(device) = &binding.device {
            bind_to_device(&fd, device)?;
        }
        for name in [libc::SO_RCVBUFFORCE, libc::SO_SNDBUFFORCE] {
            // Smaller buffers are slower, not wrong.
            let _ = setsockopt(&fd, libc::SOL_SOCKET, name, BUFFER);
        }
        let (level, told) = match local {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        };
        setsockopt(&fd, level, told, 1i32)?;
        let gro = setsockopt(&fd, libc::SOL_UDP, libc::UDP_GRO, 1i32).is_ok();
        let gso = setsockopt(&fd, libc::SOL_UDP, libc::UDP_SEGMENT, 0i32).is_ok();
        let addr = SockAddr::from(local);
        // SAFETY: `addr` is a socket address of the length that it says.
        cvt(unsafe { libc::bind(fd.as_raw_fd(), addr.as_ptr(), addr.len()) } as isize)?;
        let port = addr::local(&fd)?.port();
        let socket =
            Self { fd, gso: AtomicBool::new(gso), narrow: Narrow::default(), told: AtomicBool::new(false), gro };
        Ok((socket, port))
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

fn bind_to_device(fd: &OwnedFd, device: &str) -> io::Result<()> {
    if device.len() >= libc::IFNAMSIZ {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    let (ptr, len) = (device.as_ptr(), device.len() as u32);
    // SAFETY: `ptr` points to `len` readable bytes.
    let r = unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_BINDTODEVICE, ptr.cast(), len) };
    cvt(r as isize)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_share_a_port() {
        let (sockets, _) = Sockets::open(&Binding::default()).unwrap();
        assert_ne!(sockets.port, 0);
        for socket in sockets.each() {
            assert_eq!(addr::local(socket).unwrap().port(), sockets.port);
        }
    }

    #[test]
    fn closing_is_reported_and_frees_the_port() {
        let (sockets, closed) = Sockets::open(&Binding::default()).unwrap();
        let binding = Binding { port: sockets.port, ..Binding::default() };
        assert_eq!(Sockets::open(&binding).unwrap_err().raw_os_error(), Some(libc::EADDRINUSE));
        assert_eq!(closed.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(sockets);
        assert_eq!(closed.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        assert_eq!(Sockets::open(&binding).unwrap().0.port, binding.port);
    }
}
