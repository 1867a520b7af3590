//! Windows' sockets: several datagrams of one length in a call where it cuts (USO) and joins (URO).
mod addr;
mod control;
mod pieces;
mod recv;
mod route;
mod send;

pub use pieces::Pieces;
pub use recv::receive;
pub use route::Routes;
pub use send::{Piece, send_some};

use super::{BUFFER, Binding, Sockets};
use crate::sys::windows::event;
use crate::sys::{Waitable, interface_index};
use recv::ReceiveMessage;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::windows::io::{AsRawHandle, AsRawSocket, OwnedHandle};
use std::ptr::null_mut;
use windows_sys::Win32::Networking::WinSock::{
    FD_READ, IP_MTU_DISCOVER, IP_PKTINFO, IP_PMTUDISC_DONT, IP_PMTUDISC_PROBE, IP_UNICAST_IF, IPPROTO_IP, IPPROTO_IPV6,
    IPPROTO_UDP, IPV6_MTU_DISCOVER, IPV6_PKTINFO, IPV6_UNICAST_IF, SO_RCVBUF, SO_SNDBUF, SOCKET, SOL_SOCKET,
    UDP_RECV_MAX_COALESCED_SIZE, UDP_SEND_MSG_SIZE, WSAEventSelect, WSAIoctl, setsockopt,
};

/// `_WSAIOW(IOC_VENDOR, 12)` and 15: an ICMP error is nothing that a receiver has to be told.
const SIO_UDP_CONNRESET: u32 = 0x9800_000c;
const SIO_UDP_NETRESET: u32 = 0x9800_000f;

/// A bound socket.
#[derive(Debug)]
pub struct Raw {
    socket: UdpSocket,
    /// Signalled when a datagram comes after a receive; takes itself back.
    ready: OwnedHandle,
    receive: ReceiveMessage,
}

/// Whether Windows cuts and joins.
pub struct Gives {
    pub gso: bool,
    pub gro: bool,
}

impl Raw {
    pub fn open(local: SocketAddr, binding: &Binding) -> io::Result<(Self, Gives, u16)> {
        refuse_mark(binding.fwmark)?;
        let socket = UdpSocket::bind(local)?;
        let raw = Self { receive: ReceiveMessage::of(socket.as_raw_socket() as SOCKET)?, socket, ready: event(true)? };
        // SAFETY: socket and event are ours and open. This also makes the socket non-blocking.
        cvt(unsafe { WSAEventSelect(raw.socket(), raw.ready.as_raw_handle() as isize, FD_READ as i32) })?;
        for code in [SIO_UDP_CONNRESET, SIO_UDP_NETRESET] {
            // Without it a receive fails now and then, and the next one works.
            let _ = raw.switch_off(code);
        }
        let v4 = local.is_ipv4();
        // It is what Windows does by itself.
        let _ = raw.discover(v4, IP_PMTUDISC_DONT);
        if let Some(device) = &binding.device {
            let index = interface_index(device).or_else(|| device.parse().ok());
            let index =
                index.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no interface {device}")))?;
            // Windows wants the one in network order and the other in its own.
            let (level, name, value) =
                if v4 { (IPPROTO_IP, IP_UNICAST_IF, index.to_be()) } else { (IPPROTO_IPV6, IPV6_UNICAST_IF, index) };
            raw.set(level, name, value)?;
        }
        for name in [SO_RCVBUF, SO_SNDBUF] {
            // Smaller buffers are slower, not wrong.
            let _ = raw.set(SOL_SOCKET, name, BUFFER);
        }
        let (level, name) = if v4 { (IPPROTO_IP, IP_PKTINFO) } else { (IPPROTO_IPV6, IPV6_PKTINFO) };
        raw.set(level, name, 1u32)?;
        let gro = raw.set(IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, u32::from(u16::MAX)).is_ok();
        let gso = raw.set(IPPROTO_UDP, UDP_SEND_MSG_SIZE, 0u32).is_ok();
        let port = raw.local()?.port();
        Ok((raw, Gives { gso, gro }, port))
    }

    pub fn local(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub fn set_fwmark(&self, mark: u32) -> io::Result<()> {
        refuse_mark(mark)
    }

    pub fn readable(&self) -> Waitable {
        Waitable::Handle(self.ready.as_raw_handle())
    }

    /// Windows takes datagrams, or drops them; that it says "later" is rare.
    pub fn writable(&self) -> Waitable {
        Waitable::Soon
    }

    fn socket(&self) -> SOCKET {
        self.socket.as_raw_socket() as SOCKET
    }

    fn set<T: Copy>(&self, level: i32, name: i32, value: T) -> io::Result<()> {
        let (at, len) = ((&raw const value).cast(), size_of::<T>() as i32);
        // SAFETY: `at` points to `len` readable bytes that live until the call returns.
        cvt(unsafe { setsockopt(self.socket(), level, name, at, len) })
    }

    fn switch_off(&self, code: u32) -> io::Result<()> {
        let (off, mut n) = (0u32, 0);
        // SAFETY: four readable bytes in, none out, no overlapped call.
        cvt(unsafe {
            let input = (&raw const off).cast();
            WSAIoctl(self.socket(), code, input, 4, null_mut(), 0, &raw mut n, null_mut(), None)
        })
    }

    fn discover(&self, v4: bool, how: i32) -> io::Result<()> {
        let (level, name) = if v4 { (IPPROTO_IP, IP_MTU_DISCOVER) } else { (IPPROTO_IPV6, IPV6_MTU_DISCOVER) };
        self.set(level, name, how)
    }
}

impl Sockets {
    /// Sends, by `send`, what must not be cut. None: it wasn't called, since Windows can't do that. Data may be cut
    /// otherwise, for the same reasons as on Linux.
    pub fn whole(&self, to: &SocketAddr, send: impl FnOnce()) -> Option<()> {
        let raw = &self.towards(to)?.raw;
        raw.discover(to.is_ipv4(), IP_PMTUDISC_PROBE).ok()?;
        send();
        // It worked a moment ago; if it doesn't now, data is lost where it would be cut, as with most programs.
        let _ = raw.discover(to.is_ipv4(), IP_PMTUDISC_DONT);
        Some(())
    }
}

fn refuse_mark(mark: u32) -> io::Result<()> {
    if mark == 0 { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "Windows' packets have no marks")) }
}

/// What Winsock's calls give: zero, or an error to be asked for.
fn cvt(r: i32) -> io::Result<()> {
    if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
