//! WSARecvMsg, several datagrams of one sender at a time where Windows joins them (URO).
use super::addr;
use super::control::{Control, read};
use crate::arrived::{Arrived, BUFFERS};
use crate::udp::{Arrival, Socket};
use std::io;
use std::net::IpAddr;
use std::ptr::null_mut;
use windows_sys::Win32::Networking::WinSock::{
    IN_PKTINFO, IN6_PKTINFO, IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_PKTINFO, LPFN_WSARECVMSG,
    SIO_GET_EXTENSION_FUNCTION_POINTER, SOCKET, UDP_COALESCED_INFO, WSABUF, WSAID_WSARECVMSG, WSAIoctl, WSAMSG,
};

/// The size of joined datagrams, as a kind of control message.
const COALESCED: i32 = UDP_COALESCED_INFO as i32;

/// WSARecvMsg is found at run time.
#[derive(Debug)]
pub struct ReceiveMessage(LPFN_WSARECVMSG);

/// What Windows says of a message.
#[derive(Default)]
struct Said {
    /// How long each datagram but the last is, when several were joined.
    segment: Option<usize>,
    arrival: Option<Arrival>,
}

impl ReceiveMessage {
    pub fn of(socket: SOCKET) -> io::Result<Self> {
        let (id, mut function, mut n) = (WSAID_WSARECVMSG, LPFN_WSARECVMSG::None, 0);
        // SAFETY: a GUID in, a function pointer of that type out, each of the length given; no overlapped call.
        super::cvt(unsafe {
            WSAIoctl(
                socket,
                SIO_GET_EXTENSION_FUNCTION_POINTER,
                (&raw const id).cast(),
                size_of_val(&id) as u32,
                (&raw mut function).cast(),
                size_of_val(&function) as u32,
                &raw mut n,
                null_mut(),
                None,
            )
        })?;
        Ok(Self(function))
    }
}

/// Fills `into`, which is empty, with what is there now. `WouldBlock` when there is nothing.
pub fn receive(socket: &Socket, into: &mut Arrived) -> io::Result<()> {
    let receive = socket.raw.receive.0.ok_or(io::ErrorKind::Unsupported)?;
    for i in 0..BUFFERS {
        let buffer = &mut into.buffers()[i];
        let (mut name, mut control, mut n) = (addr::empty(), Control::new(), 0);
        let mut data = WSABUF { len: buffer.len() as u32, buf: buffer.as_mut_ptr() };
        let room = control.room();
        let mut message = WSAMSG {
            name: (&raw mut name).cast(),
            namelen: size_of_val(&name) as i32,
            lpBuffers: &raw mut data,
            dwBufferCount: 1,
            Control: WSABUF { len: room.len() as u32, buf: room.as_mut_ptr() },
            dwFlags: 0,
        };
        // SAFETY: the message points to name, control and buffer, writable for the lengths given, which live and are
        // touched by nobody else until the call returns; no overlapped call.
        let r = unsafe { receive(socket.raw.socket(), &raw mut message, &raw mut n, null_mut(), None) };
        if let Err(e) = super::cvt(r) {
            // What came before it is something; the next call tells again that there is no more.
            return if i > 0 { Ok(()) } else { Err(e) };
        }
        control.filled(message.Control.len as usize);
        let Some(from) = addr::get(&name) else { continue };
        let Said { segment, arrival } = said(&control);
        let length = n as usize;
        into.filled(i, length, segment.filter(|s| *s > 0).unwrap_or(length), (from, arrival));
    }
    Ok(())
}

fn said(control: &Control) -> Said {
    let mut said = Said::default();
    for (level, kind, value) in control.each() {
        match (level, kind) {
            (IPPROTO_UDP, COALESCED) => said.segment = read::<u32>(value).map(|s| s as usize),
            (IPPROTO_IP, IP_PKTINFO) => {
                said.arrival = read::<IN_PKTINFO>(value)
                    .map(|i| Arrival { local: IpAddr::from(addr::v4(i.ipi_addr)), interface: i.ipi_ifindex });
            }
            (IPPROTO_IPV6, IPV6_PKTINFO) => {
                said.arrival = read::<IN6_PKTINFO>(value)
                    .map(|i| Arrival { local: IpAddr::from(addr::v6(i.ipi6_addr)), interface: i.ipi6_ifindex });
            }
            _ => {}
        }
    }
    said
}
