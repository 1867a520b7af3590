//! Wintun: a ring of packets each way, shared with its driver.
use super::interface::{Interface, checked_name};
use super::library::Library;
use crate::offload::VNET_HDR_LEN;
use crate::sys::Waitable;
use crate::sys::windows::wide;
use crate::tun::{Device, LARGEST_READ};
use blake2::{Blake2s256, Digest};
use std::io::{self, IoSlice};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_HANDLE_EOF, ERROR_INVALID_DATA, ERROR_NO_MORE_ITEMS, HANDLE,
};
use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;
use windows_sys::core::GUID;

/// What Windows shows as the adapter's kind.
const KIND: &str = "SloPN";
/// Bytes of a ring, a power of two between 128 KiB and 64 MiB: wireguard-windows' choice.
const RING: u32 = 0x80_0000;

/// An adapter and its session. Both go away with this.
pub struct Wintun {
    library: Library,
    adapter: HANDLE,
    session: HANDLE,
    interface: Interface,
}

// SAFETY: Wintun's functions for packets may be called by several threads at once, and the handles are its own pointers.
unsafe impl Send for Wintun {}
// SAFETY: as above.
unsafe impl Sync for Wintun {}

impl Wintun {
    pub fn create(name: &str) -> io::Result<Self> {
        let (name, kind, guid) = (checked_name(name)?, wide(KIND), guid_of(name));
        let library = Library::load()?;
        // SAFETY: both texts end with zero, and the GUID is read.
        let adapter = unsafe { (library.create_adapter)(name.as_ptr(), kind.as_ptr(), &raw const guid) };
        if adapter.is_null() {
            return Err(explain("Wintun can't make an adapter"));
        }
        let mut luid = NET_LUID_LH { Value: 0 };
        // SAFETY: the adapter is open; the LUID is written to.
        let session = unsafe {
            (library.get_adapter_luid)(adapter, &raw mut luid);
            (library.start_session)(adapter, RING)
        };
        if session.is_null() {
            let error = explain("Wintun can't begin a session");
            // SAFETY: the adapter is open, and nobody else has it.
            unsafe { (library.close_adapter)(adapter) };
            return Err(error);
        }
        Ok(Self { library, adapter, session, interface: Interface::new(luid) })
    }
}

impl Device for Wintun {
    fn describe(&self) -> String {
        "tun: Wintun, one packet at a time".to_owned()
    }

    fn name(&self) -> io::Result<String> {
        self.interface.name()
    }

    fn luid(&self) -> Option<u64> {
        Some(self.interface.luid())
    }

    fn read(&self, buf: &mut [u8; LARGEST_READ]) -> io::Result<usize> {
        let mut len = 0;
        // SAFETY: the session is open.
        let packet = unsafe { (self.library.receive_packet)(self.session, &raw mut len) };
        if packet.is_null() {
            let error = io::Error::last_os_error();
            let none = error.raw_os_error() == Some(ERROR_NO_MORE_ITEMS as i32);
            return Err(if none { io::ErrorKind::WouldBlock.into() } else { error });
        }
        // Wintun's packets are at most 65,535 bytes.
        let end = (VNET_HDR_LEN + len as usize).min(buf.len());
        buf[..VNET_HDR_LEN].fill(0);
        // SAFETY: Wintun gives `len` readable bytes that are ours until they are released, once.
        unsafe {
            let bytes = std::slice::from_raw_parts(packet, end - VNET_HDR_LEN);
            buf[VNET_HDR_LEN..end].copy_from_slice(bytes);
            (self.library.release_receive_packet)(self.session, packet);
        }
        Ok(end)
    }

    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let pieces = pieces.get(1..).unwrap_or_default();
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        let asked = u32::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the session is open.
        let room = unsafe { (self.library.allocate_send_packet)(self.session, asked) };
        if room.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: Wintun gives `len` writable bytes that are ours until they are sent, which they are whatever happens:
        // it sends in the order of allocation.
        unsafe {
            let mut at = 0;
            for piece in pieces {
                room.add(at).copy_from_nonoverlapping(piece.as_ptr(), piece.len());
                at += piece.len();
            }
            (self.library.send_packet)(self.session, room);
        }
        Ok(len)
    }

    fn readable(&self) -> Waitable {
        // SAFETY: the session is open; the event is Wintun's and lives as long.
        Waitable::Handle(unsafe { (self.library.get_read_wait_event)(self.session) })
    }

    fn is_gone(&self, error: &io::Error) -> bool {
        matches!(error.raw_os_error().map(|code| code as u32), Some(ERROR_HANDLE_EOF | ERROR_INVALID_DATA))
    }

    fn mtu(&self) -> io::Result<u16> {
        self.interface.mtu()
    }

    fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        self.interface.set_mtu(mtu)
    }
}

impl Drop for Wintun {
    fn drop(&mut self) {
        // SAFETY: both are open, and nobody uses them any more.
        unsafe {
            (self.library.end_session)(self.session);
            (self.library.close_adapter)(self.adapter);
        }
    }
}

/// The same for the same name, so that Windows knows the network again instead of making "Network 27" of it.
fn guid_of(name: &str) -> GUID {
    let hash = Blake2s256::digest(format!("{KIND} {name}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    GUID::from_u128(u128::from_be_bytes(bytes))
}

fn explain(what: &str) -> io::Error {
    let error = io::Error::last_os_error();
    let why = match error.raw_os_error().map(|code| code as u32) {
        Some(ERROR_ACCESS_DENIED) => "only an administrator may do that".to_owned(),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_keeps_its_guid() {
        let key = |name| guid_of(name).data1;
        assert_eq!(key("SloPN"), key("SloPN"));
        assert_ne!(key("SloPN"), key("SloPN 2"));
    }
}
