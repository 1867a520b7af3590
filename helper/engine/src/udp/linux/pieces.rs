//! Datagrams that are longer than their path carries, sent in pieces that fit: IP fragments, made here.
//!
//! The kernel cuts only what is longer than its own link, or than a route that somebody has given an MTU: IPV6_MTU makes
//! pieces that are sent as one packet again (Linux 6.18, measured). Over IPv6 nobody else may cut, and over IPv4 not every hop
//! does. So these few go through a raw socket, with headers of our own; the far end's kernel puts them together. What is cut
//! has left the cipher: a datagram is a message of the protocol.
use super::addr::SockAddr;
use super::{Binding, bind_to_device};
use crate::offload::internet_checksum;
use crate::sys::{cvt, set_nonblocking, setsockopt};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Every link carries this much of IPv6 (RFC 8200 5): no smaller pieces.
const LEAST6: u16 = 1280;
const UDP: usize = 8;
const HEADER4: usize = 20;
const HEADER6: usize = 40;
const FRAGMENT6: usize = 8;
/// How long the kernel's choice of our address is believed.
const HOLDS: Duration = Duration::from_secs(5);
/// More narrow paths than that are forgotten, and told again with the next probe.
const CAPACITY: usize = 16_384;

/// Who has a narrow path, and the sockets for it. Costs one atomic load while nobody has.
#[derive(Debug, Default)]
pub struct Pieces {
    /// None without that family, or without the right to open them (CAP_NET_RAW): then nothing is cut here.
    v4: Option<OwnedFd>,
    v6: Option<OwnedFd>,
    port: u16,
    any: AtomicBool,
    paths: Mutex<HashMap<SocketAddr, Path>>,
    id: AtomicU32,
}

#[derive(Clone, Copy, Debug)]
struct Path {
    mtu: u16,
    source: Option<(IpAddr, Instant)>,
}

impl Pieces {
    /// `port` is where the datagrams say that they come from.
    pub fn open(binding: &Binding, port: u16, id: u32) -> Self {
        let raw = |family| raw(family, binding).ok();
        Self { v4: raw(libc::AF_INET), v6: raw(libc::AF_INET6), port, id: id.into(), ..Self::default() }
    }

    pub fn set_fwmark(&self, mark: u32) -> io::Result<()> {
        let mut all = self.v4.iter().chain(&self.v6);
        all.try_for_each(|fd| setsockopt(fd, libc::SOL_SOCKET, libc::SO_MARK, mark))
    }

    /// The path there carries packets of this length from now on; None: of any.
    pub fn set(&self, to: SocketAddr, mtu: Option<u16>) {
        if mtu.is_none() && !self.any.load(Relaxed) {
            return;
        }
        let mut paths = self.paths.lock();
        match mtu.filter(|_| self.socket(&to).is_some()) {
            None => drop(paths.remove(&to)),
            Some(mtu) => {
                if paths.len() >= CAPACITY {
                    paths.clear();
                }
                let mtu = if to.is_ipv6() { mtu.max(LEAST6) } else { mtu };
                paths.entry(to).or_insert(Path { mtu, source: None }).mtu = mtu;
            }
        }
        self.any.store(!paths.is_empty(), Relaxed);
    }

    /// Whether a datagram of this length is to be sent by `send`.
    pub fn wants(&self, to: &SocketAddr, len: usize) -> bool {
        self.any.load(Relaxed)
            && self.paths.lock().get(to).is_some_and(|path| header(to) + UDP + len > usize::from(path.mtu))
    }

    /// Sends it, from the address that `source` gives.
    ///
    /// # Errors
    /// A piece wasn't taken; then the others are worth nothing. This never waits.
    pub fn send(&self, to: SocketAddr, datagram: &[u8], source: impl Fn() -> Option<IpAddr>) -> io::Result<()> {
        let none = || io::Error::from_raw_os_error(libc::ENETUNREACH);
        let now = Instant::now();
        let fresh = |(_, at): &(IpAddr, Instant)| now.saturating_duration_since(*at) < HOLDS;
        let path = self.paths.lock().get(&to).copied().ok_or_else(none)?;
        let from = match path.source.filter(fresh) {
            Some((from, _)) => from,
            None => {
                let from = source().ok_or_else(none)?;
                if let Some(path) = self.paths.lock().get_mut(&to) {
                    path.source = Some((from, now));
                }
                from
            }
        };
        let socket = self.socket(&to).ok_or_else(none)?;
        let name = SockAddr::from(without_port(to));
        let id = self.id.fetch_add(1, Relaxed);
        for piece in cut(SocketAddr::new(from, self.port), to, datagram, path.mtu, id).ok_or_else(none)? {
            // SAFETY: the piece and the address live until the call returns, and are as long as is said.
            let sent = unsafe {
                libc::sendto(socket.as_raw_fd(), piece.as_ptr().cast(), piece.len(), 0, name.as_ptr(), name.len())
            };
            cvt(sent)?;
        }
        Ok(())
    }

    fn socket(&self, to: &SocketAddr) -> Option<&OwnedFd> {
        if to.is_ipv4() { self.v4.as_ref() } else { self.v6.as_ref() }
    }
}

/// One that sends whole packets and gets none.
fn raw(family: i32, binding: &Binding) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: socket gives a fresh descriptor that nobody else owns.
    let fd = unsafe { OwnedFd::from_raw_fd(cvt(libc::socket(family, kind, libc::IPPROTO_RAW) as isize)? as RawFd) };
    set_nonblocking(&fd)?;
    if binding.fwmark != 0 {
        setsockopt(&fd, libc::SOL_SOCKET, libc::SO_MARK, binding.fwmark)?;
    }
    if let Some(device) = &binding.device {
        bind_to_device(&fd, device)?;
    }
    Ok(fd)
}

/// For a raw socket the port says the protocol; the headers say it here.
fn without_port(mut to: SocketAddr) -> SocketAddr {
    to.set_port(0);
    to
}

fn header(to: &SocketAddr) -> usize {
    if to.is_ipv4() { HEADER4 } else { HEADER6 }
}

/// Whole IP packets of at most `mtu` bytes that are one UDP datagram together. None: there are none, since the addresses are of
/// two families, or the datagram is longer than IP can say.
fn cut(from: SocketAddr, to: SocketAddr, datagram: &[u8], mtu: u16, id: u32) -> Option<Vec<Vec<u8>>> {
    let length = u16::try_from(UDP + datagram.len()).ok().filter(|length| usize::from(*length) + HEADER6 < 0xffff)?;
    let mut whole = Vec::with_capacity(length.into());
    for number in [from.port(), to.port(), length, 0] {
        whole.extend(number.to_be_bytes());
    }
    whole.extend(datagram);
    let (addresses, head) = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ([from.octets(), to.octets()].concat(), HEADER4),
        (IpAddr::V6(from), IpAddr::V6(to)) => ([from.octets(), to.octets()].concat(), HEADER6 + FRAGMENT6),
        _ => return None,
    };
    let [a, b] = length.to_be_bytes();
    let sum = match internet_checksum(&[&addresses, &[0, libc::IPPROTO_UDP as u8, a, b], &whole]) {
        [0, 0] => [0xff, 0xff],
        sum => sum,
    };
    whole[6..8].copy_from_slice(&sum);
    // All but the last are a multiple of eight long.
    let room = usize::from(mtu).checked_sub(head)? & !7;
    if room == 0 {
        return None;
    }
    let pieces = whole.chunks(room).enumerate().map(|(i, part)| {
        let (at, more) = (i * room, (i + 1) * room < whole.len());
        let mut packet = if to.is_ipv4() { head4(at, more, part.len(), id) } else { head6(part.len()) };
        packet.extend(&addresses);
        if to.is_ipv6() {
            packet.extend([libc::IPPROTO_UDP as u8, 0]);
            packet.extend((at as u16 | u16::from(more)).to_be_bytes());
            packet.extend(id.to_be_bytes());
        }
        packet.extend(part);
        packet
    });
    Some(pieces.collect())
}

/// The kernel adds the header's sum.
fn head4(at: usize, more: bool, part: usize, id: u32) -> Vec<u8> {
    let [a, b] = ((HEADER4 + part) as u16).to_be_bytes();
    // Zero would have the kernel take one of its own for each piece.
    let [c, d] = (id as u16).max(1).to_be_bytes();
    let [e, f] = ((at as u16 / 8) | (u16::from(more) << 13)).to_be_bytes();
    vec![0x45, 0, a, b, c, d, e, f, 64, libc::IPPROTO_UDP as u8, 0, 0]
}

fn head6(part: usize) -> Vec<u8> {
    let [a, b] = ((FRAGMENT6 + part) as u16).to_be_bytes();
    vec![0x60, 0, 0, 0, a, b, libc::IPPROTO_FRAGMENT as u8, 64]
}

#[cfg(test)]
mod tests;
