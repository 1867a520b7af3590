//! Thin, checked wrappers of the few system calls that std lacks.
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

/// poll(2) for one event a descriptor; gives what each reported. A signal counts as "nothing".
///
/// `timeout_ms` below zero waits for ever.
pub fn poll<const N: usize>(want: [(RawFd, i16); N], timeout_ms: i32) -> [i16; N] {
    let mut fds = want.map(|(fd, events)| libc::pollfd { fd, events, revents: 0 });
    // SAFETY: `fds` is an array of N initialised pollfd.
    let r = unsafe { libc::poll(fds.as_mut_ptr(), N as libc::nfds_t, timeout_ms) };
    if r < 0 {
        return [0; N];
    }
    fds.map(|p| p.revents)
}

/// An eventfd(2): wakes a thread, or an asyncio loop.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

impl EventFd {
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
}

impl AsRawFd for EventFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eventfd_is_readable_until_drained() {
        let fd = EventFd::new().unwrap();
        let ready = |t| poll([(fd.as_raw_fd(), libc::POLLIN)], t)[0] != 0;
        assert!(!ready(0));
        fd.signal();
        fd.signal();
        assert!(ready(0));
        fd.drain();
        assert!(!ready(0));
    }
}
