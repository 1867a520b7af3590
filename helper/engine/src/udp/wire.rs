//! What may be sent: messages that a cipher has run over. Each type here is made from one of those alone, so that content
//! can't leave by mistake; batches of transport messages are `batch::Sealed`.
use gotatun::packet::{Packet, WgData, WgHandshakeInit, WgKind};
use std::net::SocketAddr;

/// One message, and whoever it is for.
pub type Outgoing = (Wire, SocketAddr);

/// One message of the protocol, whole.
#[derive(Debug)]
pub struct Wire(Packet);

/// Messages to send together, in order. Implement it for nothing that holds content still to be encrypted.
pub trait Datagrams {
    fn count(&self) -> usize;

    /// The message at `i`, below `count`.
    fn get(&self, i: usize) -> (&[u8], SocketAddr);
}

impl Wire {
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub fn raw(bytes: &[u8]) -> Self {
        Self(Packet::copy_from(bytes))
    }
}

impl Clone for Wire {
    fn clone(&self) -> Self {
        Self(Packet::copy_from(self.bytes()))
    }
}

impl From<WgKind> for Wire {
    fn from(message: WgKind) -> Self {
        Self(message.into())
    }
}

impl From<Packet<WgData>> for Wire {
    fn from(message: Packet<WgData>) -> Self {
        Self(message.into())
    }
}

impl From<Packet<WgHandshakeInit>> for Wire {
    fn from(message: Packet<WgHandshakeInit>) -> Self {
        Self(message.into())
    }
}

impl Datagrams for [Outgoing] {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, i: usize) -> (&[u8], SocketAddr) {
        (self[i].0.bytes(), self[i].1)
    }
}
