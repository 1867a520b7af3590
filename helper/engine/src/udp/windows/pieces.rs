//! Windows lets nobody send IP fragments of his own over UDP: what is longer than its path is left to the kernel.
use super::super::Binding;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Cuts nothing.
#[derive(Debug)]
pub struct Pieces;

impl Pieces {
    pub fn open(_: &Binding, _: u16, _: u32) -> Self {
        Self
    }

    pub fn set_fwmark(&self, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub fn set(&self, _: SocketAddr, _: Option<u16>) {}

    pub fn wants(&self, _: &SocketAddr, _: usize) -> bool {
        false
    }

    pub fn send(&self, _: SocketAddr, _: &[u8], _: impl Fn() -> Option<IpAddr>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
