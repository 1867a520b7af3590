//! What std lacks of the operating system: to wait for several things at once, to wake whoever waits, and why a socket
//! has failed. One module a system, with the same names.
//!
//! * `Signal`: wakes a thread; `raised` is what to wait for, `drain` takes it back.
//! * `Waitable`: one thing to wait for, for as long as what it was made of is open; `NEVER` is none.
//! * `wait`: waits until one of several is ready, or for so many milliseconds (below zero: for ever); tells which are.
//! * `errno`: codes of failed sends, by the names that Unix gives them.
//! * `interface_index`: of an interface, by the name that people know.
#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
pub mod windows;

#[cfg(target_os = "linux")]
pub use linux::{Signal, Waitable, cvt, errno, interface_index, readable, set_nonblocking, setsockopt, wait, writable};
#[cfg(windows)]
pub use windows::{Signal, Waitable, errno, interface_index, wait};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_raised_until_it_is_taken_back() {
        let signal = Signal::new().unwrap();
        let raised = |ms| wait([Waitable::NEVER, signal.raised()], ms) == [false, true];
        assert!(!raised(0));
        signal.signal();
        signal.signal();
        assert!(raised(0));
        assert!(raised(-1));
        signal.drain();
        assert!(!raised(1));
    }
}
