//! SIGTERM and SIGINT as a descriptor that can be polled.
use slopn_engine::sys::cvt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// From now on they end nobody by themselves. To be called before there are threads.
    pub fn block() -> io::Result<Self> {
        // SAFETY: `set` is initialised by sigemptyset; signalfd gives a fresh descriptor that nobody else owns.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            libc::sigaddset(&raw mut set, libc::SIGINT);
            cvt(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) as isize)?;
            let fd = cvt(libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) as isize)?;
            Ok(Self(OwnedFd::from_raw_fd(fd as RawFd)))
        }
    }

    /// The name of one that has come.
    pub fn take(&self) -> Option<&'static str> {
        // SAFETY: all zeros is a valid signalfd_siginfo, and read fills it in or fails.
        let info = unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let size = size_of::<libc::signalfd_siginfo>();
            let n = libc::read(self.0.as_raw_fd(), (&raw mut info).cast(), size);
            (n == size as isize).then_some(info)?
        };
        Some(if info.ssi_signo == libc::SIGINT as u32 { "SIGINT" } else { "SIGTERM" })
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
