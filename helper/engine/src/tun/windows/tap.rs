//! TAP-Windows6, in its tunnel mode: IP packets without Ethernet's header. The driver must be installed.
//!
//! It answers ARP for every address, so that any route through it works; IPv6 routes have `fe80::8` as their next hop,
//! for which it answers, too. Its own DHCP server gives the interface its IPv4 address.
use super::interface::{Interface, checked_name};
use super::ring::{LARGEST, Ring};
use super::tap_registry::{Found, adapters};
use crate::offload::VNET_HDR_LEN;
use crate::sys::Waitable;
use crate::sys::windows::{event, wide};
use crate::tun::{Device, LARGEST_READ};
use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::net::Ipv4Addr;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{
    ERROR_DEV_NOT_EXIST, ERROR_DEVICE_NOT_CONNECTED, ERROR_FILE_NOT_FOUND, ERROR_IO_PENDING, ERROR_OPERATION_ABORTED,
    GENERIC_READ, GENERIC_WRITE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileW, FILE_ATTRIBUTE_SYSTEM, FILE_FLAG_OVERLAPPED, OPEN_EXISTING,
};
use windows_sys::Win32::System::IO::{DeviceIoControl, GetOverlappedResult, OVERLAPPED};

/// `TAP_WIN_CONTROL_CODE(n, METHOD_BUFFERED)` of tap-windows.h.
const fn code(n: u32) -> u32 {
    const FILE_DEVICE_UNKNOWN: u32 = 0x22;
    FILE_DEVICE_UNKNOWN << 16 | n << 2
}

const GET_VERSION: u32 = code(2);
const SET_MEDIA_STATUS: u32 = code(6);
const CONFIG_DHCP_MASQ: u32 = code(7);
const CONFIG_TUN: u32 = code(10);
/// Seconds of a lease: a year. The driver wants one.
const LEASE: u32 = 31_536_000;
/// Of no network: what the driver takes for its own where the tunnel has IPv6 alone.
const NO_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 83, 1);

/// An opened adapter. The cable is pulled when this goes.
pub struct Tap {
    // In this order: the rings cancel what is under way before the file is closed.
    reads: Mutex<Ring>,
    writes: Mutex<Ring>,
    file: OwnedHandle,
    interface: Interface,
    version: [u32; 3],
}

impl Tap {
    /// Opens the adapter of that name, else the first that nobody uses, and gives it this address.
    pub fn create(name: &str, address: Option<(Ipv4Addr, u8)>) -> io::Result<Self> {
        checked_name(name)?;
        let none = || io::Error::new(io::ErrorKind::NotFound, "TAP-Windows6 has no adapter here: install its driver");
        let (file, found) = open_first(adapters(name)).ok_or_else(none)??;
        let mut version = [0u32; 3];
        let mut bytes = [0; 12];
        control(&file, GET_VERSION, &[], &mut bytes)?;
        for (number, bytes) in version.iter_mut().zip(bytes.chunks_exact(4)) {
            *number = bytes.first_chunk().map_or(0, |b| u32::from_ne_bytes(*b));
        }
        control(&file, CONFIG_TUN, &tunnel(address), &mut [0; 12])?;
        if let Some(address) = address {
            control(&file, CONFIG_DHCP_MASQ, &masquerade(address), &mut [0; 16])?;
        }
        control(&file, SET_MEDIA_STATUS, &1u32.to_ne_bytes(), &mut [0; 4])?;
        let mut reads = Ring::new(file.as_raw_handle())?;
        reads.fill()?;
        let writes = Ring::new(file.as_raw_handle())?;
        let interface = Interface::of_guid(&found.guid)?;
        Ok(Self { reads: Mutex::new(reads), writes: Mutex::new(writes), file, interface, version })
    }
}

impl Device for Tap {
    fn describe(&self) -> String {
        let [major, minor, _] = self.version;
        format!("tun: TAP-Windows {major}.{minor}, one packet at a time")
    }

    fn name(&self) -> io::Result<String> {
        self.interface.name()
    }

    fn luid(&self) -> Option<u64> {
        Some(self.interface.luid())
    }

    fn read(&self, buf: &mut [u8; LARGEST_READ]) -> io::Result<usize> {
        buf[..VNET_HDR_LEN].fill(0);
        let n = self.reads.lock().take(&mut buf[VNET_HDR_LEN..VNET_HDR_LEN + LARGEST])?;
        Ok(VNET_HDR_LEN + n)
    }

    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writes.lock().put(pieces.iter().skip(1).map(|piece| &**piece))
    }

    fn readable(&self) -> Waitable {
        Waitable::Handle(self.reads.lock().oldest())
    }

    fn is_gone(&self, error: &io::Error) -> bool {
        let gone = [ERROR_OPERATION_ABORTED, ERROR_FILE_NOT_FOUND, ERROR_DEV_NOT_EXIST, ERROR_DEVICE_NOT_CONNECTED];
        error.raw_os_error().is_some_and(|code| gone.contains(&(code as u32)))
    }

    fn mtu(&self) -> io::Result<u16> {
        self.interface.mtu()
    }

    fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        self.interface.set_mtu(mtu)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // It is pulled with the last handle anyway.
        let _ = control(&self.file, SET_MEDIA_STATUS, &0u32.to_ne_bytes(), &mut [0; 4]);
    }
}

/// Why the last one can't be opened, if none can; nothing if there is none.
fn open_first(found: Vec<Found>) -> Option<io::Result<(OwnedHandle, Found)>> {
    let mut last = None;
    for adapter in found {
        let path = wide(&format!(r"\\.\Global\{}.tap", adapter.guid_text));
        let (access, flags) = (GENERIC_READ | GENERIC_WRITE, FILE_ATTRIBUTE_SYSTEM | FILE_FLAG_OVERLAPPED);
        // SAFETY: the path ends with zero; a good handle is fresh and ours.
        let handle = unsafe { CreateFileW(path.as_ptr(), access, 0, null(), OPEN_EXISTING, flags, null_mut()) };
        if handle != INVALID_HANDLE_VALUE {
            // SAFETY: as above.
            return Some(Ok((unsafe { OwnedHandle::from_raw_handle(handle) }, adapter)));
        }
        let error = io::Error::last_os_error();
        last = Some(Err(io::Error::new(
            error.kind(),
            format!("the TAP adapter {:?} can't be opened: {error}", adapter.name),
        )));
    }
    last
}

/// Own address, network and mask, in network order. Network and mask of zero: every address is beyond the tunnel, so that
/// the driver answers ARP for all.
fn tunnel(address: Option<(Ipv4Addr, u8)>) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&address.map_or(NO_ADDRESS, |(ip, _)| ip).octets());
    bytes
}

/// Address, mask and DHCP server in network order, and the lease. The server is the address's neighbour: any other will do.
fn masquerade((ip, prefix): (Ipv4Addr, u8)) -> [u8; 16] {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&ip.octets());
    bytes[4..8].copy_from_slice(&mask.to_be_bytes());
    bytes[8..12].copy_from_slice(&(u32::from(ip) ^ 1).to_be_bytes());
    bytes[12..].copy_from_slice(&LEASE.to_ne_bytes());
    bytes
}

/// DeviceIoControl on a file for overlapped calls, to its end.
fn control(file: &OwnedHandle, code: u32, input: &[u8], output: &mut [u8]) -> io::Result<()> {
    let done = event(false)?;
    // SAFETY: all zeros is a valid OVERLAPPED.
    let mut overlapped = OVERLAPPED { hEvent: done.as_raw_handle(), ..unsafe { std::mem::zeroed() } };
    let (from, to, mut n) = (input.as_ptr().cast(), output.as_mut_ptr().cast(), 0);
    // SAFETY: both buffers are as long as is said, and all live until the call is finished, for which this waits.
    unsafe {
        let handle = file.as_raw_handle();
        let (sent, room) = (input.len() as u32, output.len() as u32);
        if DeviceIoControl(handle, code, from, sent, to, room, null_mut(), &raw mut overlapped) == 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(ERROR_IO_PENDING as i32) {
                return Err(error);
            }
        }
        if GetOverlappedResult(handle, &raw const overlapped, &raw mut n, 1) == 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_is_told_is_laid_out_as_its_header_says() {
        let address = (Ipv4Addr::new(10, 9, 8, 7), 24);
        assert_eq!(CONFIG_TUN, 0x22_0028);
        assert_eq!(tunnel(Some(address)), [10, 9, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
        let lease = LEASE.to_ne_bytes();
        let expected = [[10, 9, 8, 7], [255, 255, 255, 0], [10, 9, 8, 6], lease].concat();
        assert_eq!(masquerade(address).to_vec(), expected);
        assert_eq!(masquerade((address.0, 32))[4..8], [255; 4]);
        assert_eq!(masquerade((address.0, 0))[4..8], [0; 4]);
    }

    #[test]
    fn without_the_driver_there_is_a_sentence() {
        let error = Tap::create("none", None).err().unwrap();
        assert!(error.to_string().contains("TAP"), "{error}");
    }
}
