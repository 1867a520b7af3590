//! Linux's /dev/net/tun.
mod link;

use super::{Device, LARGEST_READ};
use crate::offload::VNET_HDR_LEN;
use crate::sys::{Waitable, cvt, readable, set_nonblocking};
use link::Link;
use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

const TUN_F_CSUM: libc::c_uint = 0x01;
const TUN_F_TSO4: libc::c_uint = 0x02;
const TUN_F_TSO6: libc::c_uint = 0x04;
const TUN_F_USO4: libc::c_uint = 0x20;
const TUN_F_USO6: libc::c_uint = 0x40;
const TSO: libc::c_uint = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
const USO: libc::c_uint = TUN_F_USO4 | TUN_F_USO6;

/// An attached TUN device. It goes away with its descriptor.
#[derive(Debug)]
pub struct Kernel {
    fd: OwnedFd,
    link: Mutex<Link>,
    /// Packets carry a `virtio_net_hdr`.
    vnet: bool,
    /// The kernel segments UDP, too.
    uso: bool,
}

impl Kernel {
    /// Creates the device. Without `offload`, or where the kernel refuses it, packets come and go one by one.
    pub fn create(name: &str, offload: bool) -> io::Result<Self> {
        if name.is_empty() || name.len() >= libc::IFNAMSIZ || name.contains('\0') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("bad interface name {name:?}")));
        }
        let made = match Self::attach(name, offload) {
            Err(e) if offload && e.raw_os_error() == Some(libc::EINVAL) => Self::attach(name, false),
            result => result,
        };
        made.map_err(|e| explain(&e))
    }

    /// Takes over a descriptor that is attached to a TUN device already.
    pub fn adopt(fd: OwnedFd) -> io::Result<Self> {
        let (name, flags) = query(&fd)?;
        let flags = i32::from(flags);
        if flags & (libc::IFF_TUN | libc::IFF_TAP | libc::IFF_NO_PI) != libc::IFF_TUN | libc::IFF_NO_PI {
            let what = format!("{name} carries something else than IP packets alone (IFF_TUN, IFF_NO_PI)");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Self::prepare(fd, flags & libc::IFF_VNET_HDR != 0)
    }

    fn attach(name: &str, vnet: bool) -> io::Result<Self> {
        // SAFETY: open gives a fresh descriptor that nobody else owns.
        let fd = unsafe {
            let fd = cvt(libc::open(c"/dev/net/tun".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) as isize)?;
            OwnedFd::from_raw_fd(fd as RawFd)
        };
        let flags = libc::IFF_TUN | libc::IFF_NO_PI | if vnet { libc::IFF_VNET_HDR } else { 0 };
        let mut request = ifreq(name);
        request.ifr_ifru.ifru_flags = flags as i16;
        // SAFETY: TUNSETIFF reads one ifreq.
        cvt(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF as _, &raw const request) } as isize)?;
        Self::prepare(fd, vnet)
    }

    fn prepare(fd: OwnedFd, vnet: bool) -> io::Result<Self> {
        set_nonblocking(&fd)?;
        // SAFETY: TUNSETOFFLOAD takes an integer.
        let offload = |bits: libc::c_uint| unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD as _, bits) } == 0;
        let uso = vnet && offload(TSO | USO);
        if vnet && !uso {
            // If this is refused as well, the kernel cuts what it gives us; we may still join what we give it.
            offload(TSO);
        }
        let link = Mutex::new(Link::new(&fd)?);
        Ok(Self { fd, link, vnet, uso })
    }
}

impl Device for Kernel {
    fn describe(&self) -> String {
        let what = match (self.vnet, self.uso) {
            (true, true) => "vnet_hdr, TSO, USO",
            (true, false) => "vnet_hdr, TSO, no USO",
            _ => "one packet at a time, no vnet_hdr",
        };
        format!("tun: {what}")
    }

    /// Its present name; it may have been renamed.
    fn name(&self) -> io::Result<String> {
        Ok(query(&self.fd)?.0)
    }

    fn joins(&self) -> (bool, bool) {
        (self.vnet, self.uso)
    }

    fn read(&self, buf: &mut [u8; LARGEST_READ]) -> io::Result<usize> {
        let from = if self.vnet { 0 } else { VNET_HDR_LEN };
        buf[..from].fill(0);
        let room = &mut buf[from..];
        // SAFETY: `room` is writable for its length.
        let n = cvt(unsafe { libc::read(self.fd.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) })?;
        Ok(from + n)
    }

    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let pieces = if self.vnet { pieces } else { pieces.get(1..).unwrap_or_default() };
        // SAFETY: IoSlice is documented to have the layout of iovec.
        cvt(unsafe { libc::writev(self.fd.as_raw_fd(), pieces.as_ptr().cast(), pieces.len() as i32) })
    }

    fn readable(&self) -> Waitable {
        readable(&self.fd)
    }

    fn is_gone(&self, error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(libc::EBADFD | libc::EFAULT | libc::ENODEV | libc::EIO | libc::EBADF))
    }

    fn mtu(&self) -> io::Result<u16> {
        self.link.lock().mtu(&self.fd)
    }

    fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        self.link.lock().set_mtu(&self.fd, mtu)
    }
}

fn explain(error: &io::Error) -> io::Error {
    let why = match error.raw_os_error() {
        Some(libc::EBUSY) => "an interface of that name is in use".to_owned(),
        Some(libc::EPERM | libc::EACCES) => "only root may do that".to_owned(),
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => "/dev/net/tun is missing".to_owned(),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), why)
}

fn ifreq(name: &str) -> libc::ifreq {
    // SAFETY: all zeros is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = libc::IFNAMSIZ - 1;
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(room)) {
        *to = from as libc::c_char;
    }
    request
}

fn query(fd: &OwnedFd) -> io::Result<(String, libc::c_short)> {
    let mut request = ifreq("");
    // SAFETY: TUNGETIFF fills in one ifreq.
    cvt(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNGETIFF as _, &raw mut request) } as isize)?;
    let name = request.ifr_name.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    let name = String::from_utf8(name).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    // SAFETY: the kernel has filled in the flags.
    Ok((name, unsafe { request.ifr_ifru.ifru_flags }))
}
