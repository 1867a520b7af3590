//! Socket addresses as the kernel has them.
use crate::sys::cvt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

/// Room for either family.
#[derive(Clone, Copy)]
#[repr(C)]
pub union SockAddr {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl SockAddr {
    pub const fn empty() -> Self {
        // SAFETY: all zeros is a valid sockaddr_in6.
        Self { v6: unsafe { std::mem::zeroed() } }
    }

    pub fn as_ptr(&self) -> *const libc::sockaddr {
        (&raw const *self).cast()
    }

    /// Bytes that the family of this address takes.
    pub fn len(&self) -> libc::socklen_t {
        // SAFETY: every variant begins with the family.
        let v4 = unsafe { self.family } == libc::AF_INET as libc::sa_family_t;
        (if v4 { size_of::<libc::sockaddr_in>() } else { size_of::<libc::sockaddr_in6>() }) as libc::socklen_t
    }

    /// None for another family, or nothing.
    pub fn get(&self) -> Option<SocketAddr> {
        // SAFETY: the family says which variant it is; both are plain integers.
        unsafe {
            match i32::from(self.family) {
                libc::AF_INET => {
                    let ip = Ipv4Addr::from(u32::from_be(self.v4.sin_addr.s_addr));
                    Some(SocketAddrV4::new(ip, u16::from_be(self.v4.sin_port)).into())
                }
                libc::AF_INET6 => {
                    let a = self.v6;
                    let ip = Ipv6Addr::from(a.sin6_addr.s6_addr);
                    // Flow labels say nothing about where a peer is.
                    Some(SocketAddrV6::new(ip, u16::from_be(a.sin6_port), 0, a.sin6_scope_id).into())
                }
                _ => None,
            }
        }
    }
}

impl From<SocketAddr> for SockAddr {
    fn from(addr: SocketAddr) -> Self {
        match addr {
            SocketAddr::V4(a) => Self {
                v4: libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: a.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*a.ip()).to_be() },
                    sin_zero: [0; 8],
                },
            },
            SocketAddr::V6(a) => Self {
                v6: libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: a.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: a.ip().octets() },
                    sin6_scope_id: a.scope_id(),
                },
            },
        }
    }
}

/// Where a socket is bound.
pub fn local(fd: &impl AsRawFd) -> io::Result<SocketAddr> {
    let mut addr = SockAddr::empty();
    let mut len = size_of::<SockAddr>() as libc::socklen_t;
    // SAFETY: `addr` has room for `len` bytes.
    cvt(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut addr).cast(), &raw mut len) } as isize)?;
    addr.get().ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_there_and_back() {
        for text in ["192.0.2.1:51820", "[2001:db8::1]:1", "[fe80::1%3]:65535"] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(SockAddr::from(addr).get(), Some(addr));
        }
        assert_eq!(SockAddr::empty().get(), None);
    }
}
