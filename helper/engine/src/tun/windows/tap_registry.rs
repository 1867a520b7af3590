//! Which TAP-Windows6 adapters there are, by the registry.
use super::interface::parse_guid;
use crate::sys::windows::wide;
use std::ptr::null_mut;
use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
use windows_sys::core::GUID;

/// The class of network adapters.
const CLASS: &str = "{4D36E972-E325-11CE-BFC1-08002BE10318}";
const CONTROL: &str = r"SYSTEM\CurrentControlSet\Control";
/// What the driver calls its devices; the second since 9.24.
const COMPONENTS: [&str; 2] = ["tap0901", r"root\tap0901"];
/// Windows numbers adapters; gaps stay where some were removed.
const NUMBERS: u32 = 1000;

pub struct Found {
    /// As the registry has it, with braces.
    pub guid_text: String,
    pub guid: GUID,
    /// As people know it.
    pub name: String,
}

/// The one of this name first.
pub fn adapters(name: &str) -> Vec<Found> {
    let mut found: Vec<_> = (0..NUMBERS).filter_map(adapter).collect();
    found.sort_by_key(|adapter| !adapter.name.eq_ignore_ascii_case(name));
    found
}

fn adapter(number: u32) -> Option<Found> {
    let class = format!(r"{CONTROL}\Class\{CLASS}\{number:04}");
    let component = text(&class, "ComponentId")?;
    if !COMPONENTS.iter().any(|known| known.eq_ignore_ascii_case(&component)) {
        return None;
    }
    let guid_text = text(&class, "NetCfgInstanceId")?;
    let guid = parse_guid(&guid_text)?;
    let name = text(&format!(r"{CONTROL}\Network\{CLASS}\{guid_text}\Connection"), "Name").unwrap_or_default();
    Some(Found { guid_text, guid, name })
}

fn text(key: &str, value: &str) -> Option<String> {
    let (key, value, mut data) = (wide(key), wide(value), [0u16; 512]);
    let mut bytes = size_of_val(&data) as u32;
    let into = data.as_mut_ptr().cast();
    // SAFETY: both names end with zero; `data` has room for `bytes`.
    let r = unsafe {
        let (key, value) = (key.as_ptr(), value.as_ptr());
        RegGetValueW(HKEY_LOCAL_MACHINE, key, value, RRF_RT_REG_SZ, null_mut(), into, &raw mut bytes)
    };
    let characters = data.get(..bytes as usize / 2)?;
    (r == 0).then(|| String::from_utf16_lossy(characters).trim_end_matches('\0').to_owned())
}
