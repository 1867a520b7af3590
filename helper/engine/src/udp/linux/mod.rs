//! Linux's sockets: many datagrams a call, cut and joined by the kernel.
mod addr;
mod fragments;
mod pieces;
mod recv;
mod route;
mod send;

pub use pieces::Pieces;
pub use recv::receive;
pub use route::Routes;
pub use send::{Piece, send_some};

use super::{BUFFER, Binding};
use crate::sys::{Waitable, cvt, readable, set_nonblocking, setsockopt, writable};
use addr::SockAddr;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A bound socket.
#[derive(Debug)]
pub struct Raw(OwnedFd);

/// What the kernel has of UDP_SEGMENT and UDP_GRO.
pub struct Gives {
    pub gso: bool,
    pub gro: bool,
}

impl Raw {
    pub fn open(local: SocketAddr, binding: &Binding) -> io::Result<(Self, Gives, u16)> {
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
        Ok((Self(fd), Gives { gso, gro }, port))
    }

    #[cfg(test)]
    pub fn local(&self) -> io::Result<SocketAddr> {
        addr::local(&self.0)
    }

    pub fn set_fwmark(&self, mark: u32) -> io::Result<()> {
        setsockopt(&self.0, libc::SOL_SOCKET, libc::SO_MARK, mark)
    }

    pub fn readable(&self) -> Waitable {
        readable(&self.0)
    }

    pub fn writable(&self) -> Waitable {
        writable(&self.0)
    }
}

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
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
