//! Which way the kernel would send, by rtnetlink(7): RTM_GETROUTE for one address.
use crate::sys::{cvt, setsockopt};
use crate::udp::source::Way;
use parking_lot::Mutex;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const HEADER: usize = size_of::<libc::nlmsghdr>();
const ROUTE: usize = size_of::<Route>();
/// The kernel answers within the call; this only keeps a surprise from hanging a thread.
const PATIENCE: libc::timeval = libc::timeval { tv_sec: 0, tv_usec: 100_000 };

/// `struct rtmsg`.
#[repr(C)]
struct Route {
    family: u8,
    dst_len: u8,
    src_len: u8,
    tos: u8,
    table: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

/// Asks in the network namespace that it was made in.
#[derive(Debug)]
pub struct Routes(Mutex<OwnedFd>);

impl Routes {
    pub fn open() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: socket gives a fresh descriptor that nobody else owns.
        let fd = unsafe {
            let fd = cvt(libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) as isize)?;
            OwnedFd::from_raw_fd(fd as RawFd)
        };
        setsockopt(&fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, PATIENCE)?;
        Ok(Self(Mutex::new(fd)))
    }

    /// The way to `to`, sent from `source` if one is given, with this mark. None when there is no way.
    pub fn way(&self, to: SocketAddr, source: Option<IpAddr>, mark: u32) -> Option<Way> {
        let request = request(to, source, mark);
        let mut answer = [0; 1024];
        let fd = self.0.lock();
        // SAFETY: both buffers are as long as they are said to be and live until the calls return.
        let len = unsafe {
            cvt(libc::send(fd.as_raw_fd(), request.as_ptr().cast(), request.len(), 0)).ok()?;
            cvt(libc::recv(fd.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0)).ok()?
        };
        parse(answer.get(..len)?)
    }
}

fn request(to: SocketAddr, source: Option<IpAddr>, mark: u32) -> Vec<u8> {
    let mut message = vec![0; HEADER];
    let bits = |ip: &IpAddr| if ip.is_ipv4() { 32 } else { 128 };
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    message.extend([family as u8, bits(&to.ip()), source.as_ref().map_or(0, bits), 0, 0, 0, 0, 0]);
    message.extend(0u32.to_ne_bytes());
    let mut attribute = |kind: u16, value: &[u8]| {
        message.extend((4 + value.len() as u16).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(value);
    };
    attribute(libc::RTA_DST, &octets(to.ip()));
    if let Some(source) = source {
        attribute(libc::RTA_SRC, &octets(source));
    }
    if mark != 0 {
        attribute(libc::RTA_MARK, &mark.to_ne_bytes());
    }
    if let SocketAddr::V6(to) = to
        && to.scope_id() != 0
    {
        attribute(libc::RTA_OIF, &to.scope_id().to_ne_bytes());
    }
    let len = message.len() as u32;
    message[..4].copy_from_slice(&len.to_ne_bytes());
    message[4..6].copy_from_slice(&libc::RTM_GETROUTE.to_ne_bytes());
    message[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16).to_ne_bytes());
    message
}

fn parse(message: &[u8]) -> Option<Way> {
    if u16::from_ne_bytes(*message.get(4..)?.first_chunk()?) != libc::RTM_NEWROUTE {
        return None;
    }
    let (mut source, mut interface) = (None, None);
    let mut rest = message.get(HEADER + ROUTE..)?;
    while let Some([a, b, c, d]) = rest.first_chunk::<4>() {
        let (len, kind) = (u16::from_ne_bytes([*a, *b]) as usize, u16::from_ne_bytes([*c, *d]));
        let value = rest.get(4..len)?;
        match kind {
            libc::RTA_OIF => interface = Some(u32::from_ne_bytes(*value.first_chunk()?)),
            libc::RTA_PREFSRC => source = address(value),
            _ => {}
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Way { source, interface: interface? })
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_the_way_to_itself() {
        let routes = Routes::open().unwrap();
        let there = SocketAddr::from(([127, 0, 0, 1], 9));
        let way = routes.way(there, None, 0).unwrap();
        assert_eq!(way.source, Some(there.ip()));
        let from = IpAddr::from([127, 0, 0, 7]);
        assert_eq!(routes.way(there, Some(from), 5).map(|w| w.interface), Some(way.interface));
        assert_eq!(routes.way(there, Some(IpAddr::from([192, 0, 2, 1])), 0), None);
    }

    #[test]
    fn a_cut_or_foreign_answer_is_none() {
        let mut answer = request(SocketAddr::from(([127, 0, 0, 1], 9)), None, 0);
        assert_eq!(parse(&answer), None);
        answer[4..6].copy_from_slice(&libc::RTM_NEWROUTE.to_ne_bytes());
        answer.extend([8, 0, libc::RTA_OIF as u8, 0, 3, 0, 0, 0]);
        assert_eq!(parse(&answer).map(|w| w.interface), Some(3));
        for len in 0..answer.len() {
            assert_eq!(parse(&answer[..len]), None, "{len}");
        }
        answer[HEADER + ROUTE] = 0;
        assert_eq!(parse(&answer), None);
    }
}
