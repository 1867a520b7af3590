//! Whether datagrams may be cut on their way: data may, so that a path that is narrower than known still carries it; probes
//! must not. Over IPv6 only the sender cuts, and this one can't: there is no option for it.
//!
//! IP_PMTUDISC_OMIT sets no DF, and takes no MTU from ICMP, which anybody can forge. IP_PMTUDISC_PROBE sets DF and takes none
//! either. It is an option of the socket, and a second socket on the same port would get a part of what comes in: so it is
//! switched around a probe. What another thread sends in those microseconds has DF set like anybody's.
use crate::sys::setsockopt;
use crate::udp::Sockets;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// `IP_PMTUDISC_*` and `IPV6_PMTUDISC_*` have the same values.
const PROBE: i32 = libc::IP_PMTUDISC_PROBE;
const OMIT: i32 = libc::IP_PMTUDISC_OMIT;

impl Sockets {
    /// Sends, by `send`, what must not be cut. None: it wasn't called, since the kernel can't do that.
    pub fn whole(&self, to: &SocketAddr, send: impl FnOnce()) -> Option<()> {
        let socket = &self.towards(to)?.raw;
        discover(socket, to.is_ipv4(), PROBE).ok()?;
        send();
        // It worked a moment ago; if it doesn't now, data is lost where it would be cut, as with most programs.
        let _ = discover(socket, to.is_ipv4(), OMIT);
        Some(())
    }
}

/// Data may be cut.
pub(super) fn allow(socket: &impl AsRawFd, v4: bool) -> io::Result<()> {
    discover(socket, v4, OMIT)
}

fn discover(socket: &impl AsRawFd, v4: bool, how: i32) -> io::Result<()> {
    let (level, name) =
        if v4 { (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER) } else { (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER) };
    setsockopt(socket, level, name, how)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::udp::Binding;

    fn how(socket: &impl AsRawFd, v4: bool) -> i32 {
        let (level, name) =
            if v4 { (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER) } else { (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER) };
        let (mut value, mut len) = (-1i32, size_of::<i32>() as u32);
        // SAFETY: `value` has room for `len` bytes.
        let r = unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len) };
        assert_eq!(r, 0);
        value
    }

    #[test]
    fn only_while_a_probe_is_sent_nothing_may_be_cut() {
        let (sockets, _closed) = Sockets::open(&Binding::default()).unwrap();
        for to in ["127.0.0.1:9", "[::1]:9"] {
            let to: SocketAddr = to.parse().unwrap();
            let Some(socket) = sockets.towards(&to).map(|s| &s.raw) else { continue };
            let now = || how(socket, to.is_ipv4());
            assert_eq!(now(), OMIT);
            let mut during = 0;
            sockets.whole(&to, || during = now());
            assert_eq!((during, now()), (PROBE, OMIT));
        }
    }
}
