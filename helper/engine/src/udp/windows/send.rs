//! WSASendMsg with UDP_SEND_MSG_SIZE.
use super::Raw;
use super::addr;
use super::control::Control;
use crate::udp::plan::Message;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ptr::{null_mut, slice_from_raw_parts};
use windows_sys::Win32::Networking::WinSock::{
    IN_PKTINFO, IN6_PKTINFO, IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, IPV6_PKTINFO, UDP_SEND_MSG_SIZE,
    WSABUF, WSAMSG, WSASendMsg,
};

/// Bytes of one datagram, which must live until it is sent.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Piece(WSABUF);

impl Piece {
    pub fn new(bytes: &[u8]) -> Self {
        // WSASendMsg doesn't write to it.
        Self(WSABUF { len: bytes.len() as u32, buf: bytes.as_ptr().cast_mut() })
    }

    pub fn len(&self) -> usize {
        self.0.len as usize
    }
}

/// One call for the first message; gives how many went. `pieces` are all datagrams; `source` says where one is to be sent
/// from.
pub fn send_some(
    socket: &Raw,
    messages: &[Message],
    pieces: &[Piece],
    source: impl Fn(SocketAddr) -> Option<IpAddr>,
) -> io::Result<usize> {
    let Some(message) = messages.first() else { return Ok(0) };
    let mut name = addr::from(message.to);
    let mut control = Control::new();
    if message.is_segmented() {
        control.push(IPPROTO_UDP, UDP_SEND_MSG_SIZE, message.segment as u32);
    }
    match source(message.to) {
        Some(IpAddr::V4(ip)) => {
            control.push(IPPROTO_IP, IP_PKTINFO, IN_PKTINFO { ipi_addr: addr::in_addr(ip), ipi_ifindex: 0 });
        }
        Some(IpAddr::V6(ip)) => {
            control.push(IPPROTO_IPV6, IPV6_PKTINFO, IN6_PKTINFO { ipi6_addr: addr::in6_addr(ip), ipi6_ifindex: 0 });
        }
        None => {}
    }
    let told = control.used();
    let (len, buf) = (told.len() as u32, if told.is_empty() { null_mut() } else { told.as_mut_ptr() });
    let datagrams = &pieces[message.datagrams.clone()];
    let (at, count) = (slice_from_raw_parts(datagrams.as_ptr(), datagrams.len()), datagrams.len() as u32);
    let whole = WSAMSG {
        name: (&raw mut name).cast(),
        namelen: addr::len(&name),
        lpBuffers: at.cast::<WSABUF>().cast_mut(),
        dwBufferCount: count,
        Control: WSABUF { len, buf },
        dwFlags: 0,
    };
    let mut n = 0;
    // SAFETY: the message points to name, pieces, packets and control that live until the call returns; no overlapped
    // call.
    super::cvt(unsafe { WSASendMsg(socket.socket(), &raw const whole, 0, &raw mut n, null_mut(), None) })?;
    Ok(1)
}
