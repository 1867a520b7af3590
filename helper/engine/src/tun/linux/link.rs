//! The interface's MTU, wherever the interface goes: a TUN may be moved to another network namespace.
use super::{ifreq, query};
use crate::sys::cvt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// `_IO('T', 227)`, Linux 5.2: a descriptor of the namespace that the device is in.
const TUNGETDEVNETNS: libc::c_ulong = 0x54e3;

/// A socket in the namespace of the device; interfaces are asked about through it.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    /// Inode of the namespace that `socket` is in; none where the kernel can't tell.
    namespace: Option<u64>,
}

impl Link {
    /// For a device that is in the caller's own namespace or, if the kernel tells, in another one.
    pub fn new(tun: &OwnedFd) -> io::Result<Self> {
        let mut link = Self { socket: open_socket()?, namespace: inode_of(c"/proc/thread-self/ns/net") };
        link.follow(tun)?;
        Ok(link)
    }

    pub fn mtu(&mut self, tun: &OwnedFd) -> io::Result<u16> {
        self.follow(tun)?;
        let mut request = ifreq(&query(tun)?.0);
        // SAFETY: SIOCGIFMTU fills in one ifreq.
        cvt(unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCGIFMTU as _, &raw mut request) } as isize)?;
        // SAFETY: the kernel has filled in the MTU.
        Ok(u16::try_from(unsafe { request.ifr_ifru.ifru_mtu }).unwrap_or(u16::MAX))
    }

    pub fn set_mtu(&mut self, tun: &OwnedFd, mtu: u16) -> io::Result<()> {
        self.follow(tun)?;
        let mut request = ifreq(&query(tun)?.0);
        request.ifr_ifru.ifru_mtu = mtu.into();
        // SAFETY: SIOCSIFMTU reads one ifreq.
        cvt(unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCSIFMTU as _, &raw const request) } as isize)?;
        Ok(())
    }

    fn follow(&mut self, tun: &OwnedFd) -> io::Result<()> {
        // SAFETY: TUNGETDEVNETNS takes nothing and gives a fresh descriptor.
        let fd = unsafe { libc::ioctl(tun.as_raw_fd(), TUNGETDEVNETNS as _) };
        if fd < 0 {
            return Ok(());
        }
        // SAFETY: as above; nobody else owns it.
        let namespace = unsafe { OwnedFd::from_raw_fd(fd) };
        let inode = inode(&namespace)?;
        if self.namespace != Some(inode) {
            self.socket = open_socket_in(namespace)?;
            self.namespace = Some(inode);
        }
        Ok(())
    }
}

fn open_socket() -> io::Result<OwnedFd> {
    // SAFETY: socket gives a fresh descriptor that nobody else owns. A Unix socket works without any IP, too.
    unsafe {
        let fd = cvt(libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) as isize)?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// A namespace belongs to a thread, so a short-lived one goes there.
fn open_socket_in(namespace: OwnedFd) -> io::Result<OwnedFd> {
    let enter = move || {
        // SAFETY: setns takes a descriptor that is open.
        cvt(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } as isize)?;
        open_socket()
    };
    let thread = std::thread::Builder::new().name("wg-netns".into()).spawn(enter)?;
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that enters a namespace has panicked")))
}

fn inode(fd: &OwnedFd) -> io::Result<u64> {
    // SAFETY: all zeros is a valid stat, and fstat fills it in.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        cvt(libc::fstat(fd.as_raw_fd(), &raw mut stat) as isize)?;
        Ok(stat.st_ino)
    }
}

fn inode_of(path: &std::ffi::CStr) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path.to_str().ok()?).ok().map(|m| m.ino())
}
