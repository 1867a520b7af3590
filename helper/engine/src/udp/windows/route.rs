//! Which way Windows would send, by GetBestRoute2.
use super::addr;
use crate::udp::source::Way;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ptr::{null, null_mut};
use windows_sys::Win32::NetworkManagement::IpHelper::{GetBestRoute2, MIB_IPFORWARD_ROW2};

#[derive(Debug)]
pub struct Routes;

impl Routes {
    pub fn open() -> io::Result<Self> {
        Ok(Self)
    }

    /// The way to `to`, sent from `source` if one is given. None when there is no way.
    pub fn way(&self, to: SocketAddr, source: Option<IpAddr>, _mark: u32) -> Option<Way> {
        let (to, from) = (addr::from(to), source.map(addr::of));
        let from = from.as_ref().map_or(null(), |from| &raw const *from);
        // SAFETY: all zeros is a valid row, of integers only.
        let mut row: MIB_IPFORWARD_ROW2 = unsafe { std::mem::zeroed() };
        let mut best = addr::empty();
        // SAFETY: both addresses are read, or null; row and best address are written to.
        let r = unsafe { GetBestRoute2(null_mut(), 0, from, &raw const to, 0, &raw mut row, &raw mut best) };
        if r != 0 {
            return None;
        }
        Some(Way { source: addr::get(&best).map(|a| a.ip()), interface: row.InterfaceIndex })
    }
}
