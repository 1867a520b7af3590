//! By events and WaitForMultipleObjects.
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::NetworkManagement::IpHelper::{ConvertInterfaceAliasToLuid, ConvertInterfaceLuidToIndex};
use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, ResetEvent, SetEvent, Sleep, WaitForMultipleObjects, WaitForSingleObject,
};

/// Codes of failed sends: Winsock's, by the names that Unix has for them.
pub mod errno {
    pub use windows_sys::Win32::Networking::WinSock::{
        WSAEACCES as EACCES, WSAEADDRINUSE as EADDRINUSE, WSAEADDRNOTAVAIL as EADDRNOTAVAIL,
        WSAEAFNOSUPPORT as EAFNOSUPPORT, WSAECONNREFUSED as ECONNREFUSED, WSAEHOSTUNREACH as EHOSTUNREACH,
        WSAEINTR as EINTR, WSAEINVAL as EINVAL, WSAEMSGSIZE as EMSGSIZE, WSAENETDOWN as ENETDOWN,
        WSAENETUNREACH as ENETUNREACH, WSAENOBUFS as ENOBUFS, WSAEOPNOTSUPP as EOPNOTSUPP, WSAEWOULDBLOCK as EAGAIN,
    };
    /// ERROR_ACCESS_DENIED.
    pub const EPERM: i32 = 5;
    /// ERROR_DEV_NOT_EXIST.
    pub const ENODEV: i32 = 55;
    /// ERROR_IO_DEVICE.
    pub const EIO: i32 = 1117;
}

/// What can be waited for.
#[derive(Clone, Copy, Debug)]
pub enum Waitable {
    Never,
    /// Tells nothing when it is ready: it is tried again in a millisecond.
    Soon,
    /// Is signalled.
    Handle(HANDLE),
}

impl Waitable {
    pub const NEVER: Self = Self::Never;
}

/// WaitForMultipleObjects. What resets itself when it is waited for is reset only if it is told as ready.
pub fn wait<const N: usize>(want: [Waitable; N], timeout_ms: i32) -> [bool; N] {
    let mut ready = [false; N];
    let (mut handles, mut places, mut count) = ([null_mut(); N], [0; N], 0);
    let mut timeout = u32::try_from(timeout_ms).unwrap_or(INFINITE);
    for (place, waitable) in want.into_iter().enumerate() {
        match waitable {
            Waitable::Never => {}
            Waitable::Soon => {
                ready[place] = true;
                timeout = timeout.min(1);
            }
            Waitable::Handle(handle) => {
                (handles[count], places[count]) = (handle, place);
                count += 1;
            }
        }
    }
    if count == 0 {
        // SAFETY: it takes an integer.
        unsafe { Sleep(timeout) };
        return ready;
    }
    // SAFETY: the first `count` handles are open as long as those who gave them, which outlive the call.
    let first = unsafe { WaitForMultipleObjects(count as u32, handles.as_ptr(), 0, timeout) };
    let Some(first) = usize::try_from(first.wrapping_sub(WAIT_OBJECT_0)).ok().filter(|i| *i < count) else {
        return ready;
    };
    ready[places[first]] = true;
    for i in first + 1..count {
        // SAFETY: as above.
        ready[places[i]] = unsafe { WaitForSingleObject(handles[i], 0) } == WAIT_OBJECT_0;
    }
    ready
}

/// None for a name that no interface has. Windows' users know its "alias".
pub fn interface_index(name: &str) -> Option<u32> {
    let (name, mut luid, mut index) = (wide(name), NET_LUID_LH { Value: 0 }, 0);
    // SAFETY: the name ends with zero; both others are written to.
    unsafe {
        let found = ConvertInterfaceAliasToLuid(name.as_ptr(), &raw mut luid) == 0
            && ConvertInterfaceLuidToIndex(&raw const luid, &raw mut index) == 0;
        found.then_some(index)
    }
}

/// For calls that want UTF-16 with a zero behind it.
pub fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// An event that nobody has signalled. With `resets`, it is taken back by whoever has waited for it.
pub fn event(resets: bool) -> io::Result<OwnedHandle> {
    // SAFETY: it gives a fresh handle that nobody else owns, or null.
    unsafe {
        let handle = CreateEventW(null(), i32::from(!resets), 0, null());
        if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(OwnedHandle::from_raw_handle(handle)) }
    }
}

/// Wakes a thread.
#[derive(Debug)]
pub struct Signal(OwnedHandle);

impl Signal {
    /// A fresh, unsignalled one.
    pub fn new() -> io::Result<Self> {
        Ok(Self(event(false)?))
    }

    /// Raises it until `drain`.
    pub fn signal(&self) {
        // SAFETY: the handle is ours and open.
        unsafe { SetEvent(self.0.as_raw_handle()) };
    }

    /// Takes the signal back.
    pub fn drain(&self) {
        // SAFETY: the handle is ours and open.
        unsafe { ResetEvent(self.0.as_raw_handle()) };
    }

    /// Until it is signalled.
    pub fn raised(&self) -> Waitable {
        Waitable::Handle(self.0.as_raw_handle())
    }
}
