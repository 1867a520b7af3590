//! The TUN device: whole IP packets, or up to 64 KiB of one flow at a time where the system gives that.
#[cfg(target_os = "linux")]
mod linux;
pub mod memory;
#[cfg(windows)]
mod windows;
mod writer;

pub use writer::Writer;

use crate::counters::{Counters, add};
use crate::offload::VNET_HDR_LEN;
use crate::sys::Waitable;
use std::io::{self, IoSlice};
#[cfg(windows)]
use std::net::Ipv4Addr;
use std::ops::Deref;
#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

/// Room for the longest read: `virtio_net_hdr` and 64 KiB.
pub const LARGEST_READ: usize = VNET_HDR_LEN + 65_536;

/// What gives and takes packets. One module a mechanism; nobody else knows which it is.
///
/// One thread reads, and two may write at the same time.
pub trait Device: Send + Sync {
    /// What the system gives, for the log.
    fn describe(&self) -> String;

    /// What the system calls it now.
    fn name(&self) -> io::Result<String>;

    /// The number by which Windows knows it, else none.
    fn luid(&self) -> Option<u64> {
        None
    }

    /// Whether writes may carry joined packets; and UDP ones.
    fn joins(&self) -> (bool, bool) {
        (false, false)
    }

    /// One read: `virtio_net_hdr` (zero where the device has none) and packet. `WouldBlock` when there is none.
    fn read(&self, buf: &mut [u8; LARGEST_READ]) -> io::Result<usize>;

    /// One packet, or several joined: first the `virtio_net_hdr`, then the pieces.
    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Until there is something to read.
    fn readable(&self) -> Waitable;

    /// Whether this error of a read means that the device has been deleted.
    fn is_gone(&self, error: &io::Error) -> bool;

    /// The interface's MTU, wherever the interface is.
    fn mtu(&self) -> io::Result<u16>;

    fn set_mtu(&self, mtu: u16) -> io::Result<()>;
}

/// Which device to make.
#[derive(Clone, Debug, Default)]
pub enum Kind {
    /// /dev/net/tun on Linux, Wintun on Windows.
    #[default]
    Usual,
    /// TAP-Windows6, as tunnel of IP packets with this address and length of prefix.
    #[cfg(windows)]
    Tap(Option<(Ipv4Addr, u8)>),
    /// None of the system's: whoever holds the other end gives and takes packets.
    Memory(memory::Wire),
}

/// A device. It goes away when this is dropped.
pub struct Tun(Box<dyn Device>);

impl Tun {
    /// Makes the device. Without `offload`, or where the system refuses it, packets come and go one by one.
    ///
    /// An error is a sentence.
    pub fn create(kind: &Kind, name: &str, offload: bool) -> io::Result<Self> {
        match kind {
            #[cfg(target_os = "linux")]
            Kind::Usual => Ok(Self(Box::new(linux::Kernel::create(name, offload)?))),
            #[cfg(windows)]
            Kind::Usual => {
                // Wintun takes packets one by one.
                let _ = offload;
                Ok(Self(Box::new(windows::Wintun::create(name)?)))
            }
            #[cfg(windows)]
            Kind::Tap(address) => Ok(Self(Box::new(windows::Tap::create(name, *address)?))),
            Kind::Memory(wire) => Ok(Self(Box::new(wire.attach(name)))),
        }
    }

    /// Takes over a descriptor that is attached to a TUN device already.
    #[cfg(target_os = "linux")]
    pub fn adopt(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self(Box::new(linux::Kernel::adopt(fd)?)))
    }

    /// Writes one packet of our own; what the device doesn't take is counted and lost.
    pub fn answer(&self, packet: &[u8], counters: &Counters) {
        if self.write(&[IoSlice::new(&[0; VNET_HDR_LEN]), IoSlice::new(packet)]).is_err() {
            add(&counters.tun_write_errors, 1);
        }
    }
}

impl Deref for Tun {
    type Target = dyn Device;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}
