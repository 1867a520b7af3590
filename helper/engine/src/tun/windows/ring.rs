//! Overlapped reads and writes, several under way at a time, finished in the order in which they were begun.
use crate::sys::windows::event;
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, HANDLE};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};

/// Under way at a time.
const SLOTS: usize = 16;
/// TAP-Windows6 has no longer frames.
pub const LARGEST: usize = 2048;

/// Belongs to one file, which must outlive it.
pub struct Ring {
    file: HANDLE,
    slots: Box<[Slot]>,
    head: usize,
}

// The system writes to it until it is finished: it must not move.
struct Slot {
    overlapped: OVERLAPPED,
    done: OwnedHandle,
    bytes: [u8; LARGEST],
    under_way: bool,
}

// SAFETY: handles and buffers belong to the ring alone, whichever thread has it.
unsafe impl Send for Ring {}

impl Ring {
    pub fn new(file: HANDLE) -> io::Result<Self> {
        let slot = || {
            let done = event(false)?;
            // SAFETY: all zeros is a valid OVERLAPPED.
            let overlapped = OVERLAPPED { hEvent: done.as_raw_handle(), ..unsafe { std::mem::zeroed() } };
            Ok(Slot { overlapped, done, bytes: [0; LARGEST], under_way: false })
        };
        Ok(Self { file, slots: (0..SLOTS).map(|_| slot()).collect::<io::Result<_>>()?, head: 0 })
    }

    /// Begins reads in all slots.
    pub fn fill(&mut self) -> io::Result<()> {
        (0..SLOTS).try_for_each(|i| self.slots[i].read(self.file))
    }

    /// The oldest read, if it is finished; another one is begun in its place. `WouldBlock`: not yet.
    pub fn take(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let slot = &mut self.slots[self.head];
        if !slot.under_way {
            slot.read(self.file)?;
        }
        let n = match slot.finish(self.file, false) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(e),
            result => {
                self.head = (self.head + 1) % SLOTS;
                result?
            }
        };
        let n = n.min(into.len());
        into[..n].copy_from_slice(&slot.bytes[..n]);
        slot.read(self.file)?;
        Ok(n)
    }

    /// Signalled when the oldest is finished.
    pub fn oldest(&self) -> HANDLE {
        self.slots[self.head].done.as_raw_handle()
    }

    /// Begins a write; waits for the oldest one while all slots are under way.
    pub fn put<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
        let slot = &mut self.slots[self.head];
        if slot.under_way {
            // Whatever became of it: it is on its own.
            let _ = slot.finish(self.file, true);
        }
        let mut len = 0;
        for piece in pieces {
            let room = slot.bytes.get_mut(len..len + piece.len()).ok_or(io::ErrorKind::InvalidInput)?;
            room.copy_from_slice(piece);
            len += piece.len();
        }
        slot.write(self.file, len)?;
        self.head = (self.head + 1) % SLOTS;
        Ok(len)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the file is open; null means all that is under way.
        unsafe { CancelIoEx(self.file, null()) };
        for slot in &mut *self.slots {
            if slot.under_way {
                let _ = slot.finish(self.file, true);
            }
        }
    }
}

impl Slot {
    fn read(&mut self, file: HANDLE) -> io::Result<()> {
        let (at, len) = (self.bytes.as_mut_ptr(), LARGEST as u32);
        // SAFETY: buffer and OVERLAPPED are boxed and live until the read is finished, which `Drop` of the ring sees to.
        let r = unsafe { ReadFile(file, at, len, null_mut(), &raw mut self.overlapped) };
        self.begun(r)
    }

    fn write(&mut self, file: HANDLE, len: usize) -> io::Result<()> {
        // SAFETY: as for reading; `len` is at most the buffer's length.
        let r = unsafe { WriteFile(file, self.bytes.as_ptr(), len as u32, null_mut(), &raw mut self.overlapped) };
        self.begun(r)
    }

    fn begun(&mut self, r: i32) -> io::Result<()> {
        let error = io::Error::last_os_error();
        self.under_way = r != 0 || error.raw_os_error() == Some(ERROR_IO_PENDING as i32);
        if self.under_way { Ok(()) } else { Err(error) }
    }

    fn finish(&mut self, file: HANDLE, wait: bool) -> io::Result<usize> {
        let mut n = 0;
        // SAFETY: it was begun on this file.
        if unsafe { GetOverlappedResult(file, &raw const self.overlapped, &raw mut n, i32::from(wait)) } != 0 {
            self.under_way = false;
            return Ok(n as usize);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(ERROR_IO_INCOMPLETE as i32) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.under_way = false;
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::windows::ffi::OsStrExt;
    use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
    use windows_sys::Win32::Storage::FileSystem::{
        CREATE_ALWAYS, CreateFileW, FILE_FLAG_DELETE_ON_CLOSE, FILE_FLAG_OVERLAPPED, FILE_GENERIC_READ,
        FILE_GENERIC_WRITE,
    };

    #[test]
    fn writes_are_read_back_from_a_file() {
        use std::os::windows::io::FromRawHandle;
        let path = std::env::temp_dir().join(format!("slopn-ring-{}", std::process::id()));
        let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        let flags = FILE_FLAG_OVERLAPPED | FILE_FLAG_DELETE_ON_CLOSE;
        let access = FILE_GENERIC_READ | FILE_GENERIC_WRITE;
        // SAFETY: the path ends with zero.
        let file = unsafe { CreateFileW(wide.as_ptr(), access, 0, null(), CREATE_ALWAYS, flags, null_mut()) };
        assert_ne!(file, INVALID_HANDLE_VALUE);
        // SAFETY: it is fresh and ours.
        let file = unsafe { OwnedHandle::from_raw_handle(file) };
        let mut writes = Ring::new(file.as_raw_handle()).unwrap();
        assert_eq!(writes.put([&b"ab"[..], b"cd"].into_iter()).unwrap(), 4);
        assert!(writes.put([&[0; LARGEST + 1][..]].into_iter()).is_err());
        drop(writes);
        let mut reads = Ring::new(file.as_raw_handle()).unwrap();
        let mut buf = [0; 9];
        let n = loop {
            match reads.take(&mut buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                result => break result.unwrap(),
            }
        };
        assert_eq!(&buf[..n], b"abcd");
    }
}
