//! By poll(2) and eventfd(2); and thin, checked wrappers of a few more system calls.
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The result of a libc call: its value, or errno as an error.
pub fn cvt(r: isize) -> io::Result<usize> {
    usize::try_from(r).map_err(|_| io::Error::last_os_error())
}

/// setsockopt(2) with a plain value.
pub fn setsockopt<T: Copy>(fd: &impl AsRawFd, level: i32, name: i32, value: T) -> io::Result<()> {
    let (ptr, len) = (&raw const value, size_of::<T>() as u32);
    // SAFETY: `ptr` points to `len` readable bytes that live until the call returns.
    cvt(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, ptr.cast(), len) } as isize)?;
    Ok(())
}

/// Make reads and writes return EAGAIN instead of waiting.
pub fn set_nonblocking(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: F_GETFL and F_SETFL take and give integers only.
    unsafe {
        let flags = cvt(libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) as isize)?;
        let flags = flags as i32 | libc::O_NONBLOCK;
        cvt(libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags) as isize)?;
    }
    Ok(())
}

/// Codes of failed sends.
pub mod errno {
    pub use libc::{
        EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, ECONNREFUSED, EHOSTUNREACH, EINTR, EINVAL, EIO,
        EMSGSIZE, ENETDOWN, ENETUNREACH, ENOBUFS, ENODEV, EOPNOTSUPP, EPERM,
    };
}

/// A descriptor, and what it shall be ready for.
#[derive(Clone, Copy, Debug)]
pub struct Waitable {
    fd: RawFd,
    events: i16,
}

impl Waitable {
    /// poll(2) passes over negative descriptors.
    pub const NEVER: Self = Self { fd: -1, events: 0 };
}

/// Until there is something to read.
pub fn readable(fd: &impl AsRawFd) -> Waitable {
    Waitable { fd: fd.as_raw_fd(), events: libc::POLLIN }
}

/// Until it takes more.
pub fn writable(fd: &impl AsRawFd) -> Waitable {
    Waitable { fd: fd.as_raw_fd(), events: libc::POLLOUT }
}

/// poll(2). A signal counts as "nothing".
pub fn wait<const N: usize>(want: [Waitable; N], timeout_ms: i32) -> [bool; N] {
    let mut fds = want.map(|Waitable { fd, events }| libc::pollfd { fd, events, revents: 0 });
    // SAFETY: `fds` is an array of N initialised pollfd.
    let r = unsafe { libc::poll(fds.as_mut_ptr(), N as libc::nfds_t, timeout_ms) };
    if r < 0 {
        return [false; N];
    }
    fds.map(|p| p.revents != 0)
}

/// None for a name that no interface has.
pub fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// An eventfd(2): wakes a thread, or an asyncio loop.
#[derive(Debug)]
pub struct Signal(OwnedFd);

impl Signal {
    /// A fresh, unsignalled, non-blocking one.
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd gives a fresh descriptor that nobody else owns.
        let fd = unsafe {
            let fd = cvt(libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) as isize)?;
            OwnedFd::from_raw_fd(fd as RawFd)
        };
        Ok(Self(fd))
    }

    /// Makes it readable until `drain`.
    pub fn signal(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight readable bytes. EAGAIN means that it is signalled already.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Takes the signal back.
    pub fn drain(&self) {
        let mut buf = [0u8; 8];
        // SAFETY: eight writable bytes. EAGAIN means that there was no signal.
        unsafe { libc::read(self.0.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) };
    }

    /// Until it is signalled.
    pub fn raised(&self) -> Waitable {
        readable(self)
    }
}

impl AsRawFd for Signal {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
