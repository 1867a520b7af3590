//! wintun.dll: from the folder of this engine alone, and only if it is the one that its makers have signed and published.
use ring::digest::{SHA256, digest};
use std::ffi::{OsString, c_void};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::NetworkManagement::Ndis::NET_LUID_LH;
use windows_sys::Win32::Storage::FileSystem::FILE_SHARE_READ;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, GetModuleFileNameW,
    GetModuleHandleExW, GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};
use windows_sys::core::{GUID, PCSTR, PCWSTR};

pub const NAME: &str = "wintun.dll";
/// SHA-256 of Wintun 0.14.1, by architecture.
const KNOWN: &str = if cfg!(target_arch = "aarch64") {
    "f7ba89005544be9d85231a9e0d5f23b2d15b3311667e2dad0debd344918a3f80"
} else {
    "e5da8447dc2c320edc0fc52fa01885c103de8c118481f683643cacc3220dafce"
};

/// The functions that are called; wintun.h has their meaning.
pub struct Library {
    pub create_adapter: unsafe extern "system" fn(PCWSTR, PCWSTR, *const GUID) -> HANDLE,
    pub close_adapter: unsafe extern "system" fn(HANDLE),
    pub get_adapter_luid: unsafe extern "system" fn(HANDLE, *mut NET_LUID_LH),
    pub start_session: unsafe extern "system" fn(HANDLE, u32) -> HANDLE,
    pub end_session: unsafe extern "system" fn(HANDLE),
    pub get_read_wait_event: unsafe extern "system" fn(HANDLE) -> HANDLE,
    pub receive_packet: unsafe extern "system" fn(HANDLE, *mut u32) -> *mut u8,
    pub release_receive_packet: unsafe extern "system" fn(HANDLE, *const u8),
    pub allocate_send_packet: unsafe extern "system" fn(HANDLE, u32) -> *mut u8,
    pub send_packet: unsafe extern "system" fn(HANDLE, *const u8),
}

impl Library {
    /// Loads it, for as long as the process lives.
    pub fn load() -> io::Result<Self> {
        Self::load_from(&folder()?.join(NAME))
    }

    fn load_from(path: &Path) -> io::Result<Self> {
        // Nobody may write to it between the look and the load.
        let held = verified(path)?;
        let wide: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: the path ends with zero. What the library does when it is loaded is its makers', by the hash.
        let module = unsafe { LoadLibraryExW(wide.as_ptr(), null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32) };
        drop(held);
        if module.is_null() {
            return Err(about("can't be loaded", &io::Error::last_os_error()));
        }
        // SAFETY: the types are those of wintun.h 0.14.1, which the hash stands for.
        unsafe {
            Ok(Self {
                create_adapter: function(module, c"WintunCreateAdapter")?,
                close_adapter: function(module, c"WintunCloseAdapter")?,
                get_adapter_luid: function(module, c"WintunGetAdapterLUID")?,
                start_session: function(module, c"WintunStartSession")?,
                end_session: function(module, c"WintunEndSession")?,
                get_read_wait_event: function(module, c"WintunGetReadWaitEvent")?,
                receive_packet: function(module, c"WintunReceivePacket")?,
                release_receive_packet: function(module, c"WintunReleaseReceivePacket")?,
                allocate_send_packet: function(module, c"WintunAllocateSendPacket")?,
                send_packet: function(module, c"WintunSendPacket")?,
            })
        }
    }
}

/// SAFETY: `F` has to be the type of a pointer to the function of that name.
unsafe fn function<F: Copy>(module: HMODULE, name: &std::ffi::CStr) -> io::Result<F> {
    const { assert!(size_of::<F>() == size_of::<*const c_void>()) };
    // SAFETY: the module is loaded, and the name ends with zero.
    let found = unsafe { GetProcAddress(module, name.as_ptr().cast() as PCSTR) };
    let Some(found) = found else { return Err(about("lacks a function", &io::Error::last_os_error())) };
    // SAFETY: the caller's promise; both are pointers.
    Ok(unsafe { std::mem::transmute_copy(&found) })
}

/// The file, open so that nobody writes to it, if it is the known one.
fn verified(path: &Path) -> io::Result<File> {
    let open = OpenOptions::new().read(true).share_mode(FILE_SHARE_READ).open(path);
    let mut file = open.map_err(|e| about("isn't beside the engine", &e))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let hash: String = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    if hash != KNOWN {
        let text = format!("{NAME} isn't Wintun 0.14.1 as its makers have signed it (SHA-256 {hash}): it isn't loaded");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(file)
}

/// Where the file is that holds this code.
fn folder() -> io::Result<PathBuf> {
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let (mut module, mut path) = (null_mut(), vec![0u16; 32_768]);
    // SAFETY: an address in this module instead of a name, as the flag says; `path` is as long as is said.
    let n = unsafe {
        if GetModuleHandleExW(flags, folder as *const () as PCWSTR, &raw mut module) == 0 {
            return Err(io::Error::last_os_error());
        }
        GetModuleFileNameW(module, path.as_mut_ptr(), path.len() as u32)
    };
    let file = PathBuf::from(OsString::from_wide(&path[..n as usize]));
    file.parent().map(Path::to_owned).ok_or_else(|| io::Error::other("the engine doesn't know its own folder"))
}

fn about(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{NAME} {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_of_that_name_is_not_loaded() {
        let folder = std::env::temp_dir().join(format!("slopn-wintun-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(NAME);
        let missing = Library::load_from(&path).err().unwrap();
        assert!(missing.to_string().contains("isn't beside the engine"), "{missing}");
        std::fs::write(&path, b"MZ").unwrap();
        let other = Library::load_from(&path).err().unwrap();
        assert_eq!(other.kind(), io::ErrorKind::InvalidData);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
