//! A network interface by its LUID: name and MTU.
use crate::sys::windows::wide;
use std::io;
use windows_sys::Win32::NetworkManagement::IpHelper::{
    ConvertInterfaceGuidToLuid, ConvertInterfaceLuidToAlias, GetIpInterfaceEntry, MIB_IPINTERFACE_ROW,
    SetIpInterfaceEntry,
};
use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;
use windows_sys::Win32::Networking::WinSock::{ADDRESS_FAMILY, AF_INET, AF_INET6};
use windows_sys::core::GUID;

/// NDIS_IF_MAX_STRING_SIZE and the zero.
const NAME: usize = 257;

#[derive(Clone, Copy)]
pub struct Interface(NET_LUID_LH);

impl Interface {
    pub fn new(luid: NET_LUID_LH) -> Self {
        Self(luid)
    }

    pub fn of_guid(guid: &GUID) -> io::Result<Self> {
        let mut luid = NET_LUID_LH { Value: 0 };
        // SAFETY: the one is read, the other written to.
        checked(unsafe { ConvertInterfaceGuidToLuid(&raw const *guid, &raw mut luid) })?;
        Ok(Self(luid))
    }

    pub fn luid(&self) -> u64 {
        // SAFETY: both variants are 64 bits of integers.
        unsafe { self.0.Value }
    }

    pub fn name(&self) -> io::Result<String> {
        let mut name = [0u16; NAME];
        // SAFETY: `name` has room for as many characters as are said.
        checked(unsafe { ConvertInterfaceLuidToAlias(&raw const self.0, name.as_mut_ptr(), NAME) })?;
        let end = name.iter().position(|c| *c == 0).unwrap_or(NAME);
        Ok(String::from_utf16_lossy(&name[..end]))
    }

    pub fn mtu(&self) -> io::Result<u16> {
        let row = self.row(AF_INET).or_else(|_| self.row(AF_INET6))?;
        Ok(u16::try_from(row.NlMtu).unwrap_or(u16::MAX))
    }

    /// Of both families; one may be switched off.
    pub fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        let results = [AF_INET, AF_INET6].map(|family| self.set_mtu_of(family, mtu));
        if results.iter().any(Result::is_ok) { Ok(()) } else { results.into_iter().collect() }
    }

    fn set_mtu_of(&self, family: ADDRESS_FAMILY, mtu: u16) -> io::Result<()> {
        let mut row = self.row(family)?;
        row.NlMtu = mtu.into();
        if family == AF_INET {
            // What was read isn't taken back otherwise.
            row.SitePrefixLength = 0;
        }
        // SAFETY: the row is whole, since it was read.
        checked(unsafe { SetIpInterfaceEntry(&raw mut row) })
    }

    fn row(&self, family: ADDRESS_FAMILY) -> io::Result<MIB_IPINTERFACE_ROW> {
        // SAFETY: all zeros is a valid row, of integers only.
        let mut row: MIB_IPINTERFACE_ROW = unsafe { std::mem::zeroed() };
        (row.Family, row.InterfaceLuid) = (family, self.0);
        // SAFETY: family and interface say which row to fill in.
        checked(unsafe { GetIpInterfaceEntry(&raw mut row) })?;
        Ok(row)
    }
}

/// Win32 codes that calls give by themselves: zero is success.
pub fn checked(code: u32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code as i32)) }
}

/// `{01234567-89ab-…}`, as the registry writes it.
pub fn parse_guid(text: &str) -> Option<GUID> {
    let digits: String = text.strip_prefix('{')?.strip_suffix('}')?.split('-').collect();
    u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32).map(GUID::from_u128)
}

/// Whether a name can be given to Windows.
pub fn checked_name(name: &str) -> io::Result<Vec<u16>> {
    let wide = wide(name);
    if name.is_empty() || name.contains('\0') || wide.len() > 128 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("bad interface name {name:?}")));
    }
    Ok(wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_are_read_as_the_registry_writes_them() {
        let guid = parse_guid("{4D36E972-E325-11CE-BFC1-08002BE10318}").unwrap();
        assert_eq!((guid.data1, guid.data4[7]), (0x4d36_e972, 0x18));
        for bad in ["", "{}", "4D36E972-E325-11CE-BFC1-08002BE10318", "{4D36E972-E325-11CE-BFC1-08002BE1031}"] {
            assert!(parse_guid(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn names_that_windows_would_cut_are_refused() {
        assert_eq!(checked_name("ab").unwrap(), [97, 98, 0]);
        for bad in ["", "a\0b", &"x".repeat(128)] {
            assert!(checked_name(bad).is_err());
        }
    }
}
