//! Control messages, as the WSA_CMSG macros of ws2def.h lay them out.
use windows_sys::Win32::Networking::WinSock::CMSGHDR;

const HEADER: usize = size_of::<CMSGHDR>();
const ALIGN: usize = align_of::<CMSGHDR>();

/// Room for any that we send or get.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Control {
    bytes: [u8; 128],
    used: usize,
}

impl Control {
    pub const fn new() -> Self {
        Self { bytes: [0; 128], used: 0 }
    }

    pub fn room(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub fn used(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.used]
    }

    /// Says how much of the room has been filled in.
    pub fn filled(&mut self, used: usize) {
        self.used = used.min(self.bytes.len());
    }

    pub fn push<T: Copy>(&mut self, level: i32, kind: i32, value: T) {
        let at = self.used;
        let end = at + HEADER + size_of::<T>().next_multiple_of(ALIGN);
        let room = &mut self.bytes[at..end];
        let header = CMSGHDR { cmsg_len: HEADER + size_of::<T>(), cmsg_level: level, cmsg_type: kind };
        // SAFETY: `room` has been checked to hold the header and the value behind it; neither needs to be aligned.
        unsafe {
            room.as_mut_ptr().cast::<CMSGHDR>().write_unaligned(header);
            room.as_mut_ptr().add(HEADER).cast::<T>().write_unaligned(value);
        }
        self.used = end;
    }

    /// Level, kind and value of each; stops at the first that isn't whole.
    pub fn each(&self) -> impl Iterator<Item = (i32, i32, &[u8])> {
        let mut rest = &self.bytes[..self.used];
        std::iter::from_fn(move || {
            let head = rest.get(..HEADER)?;
            // SAFETY: as many bytes as the header has, which is plain integers.
            let header = unsafe { head.as_ptr().cast::<CMSGHDR>().read_unaligned() };
            let value = rest.get(HEADER..header.cmsg_len)?;
            rest = rest.get(header.cmsg_len.next_multiple_of(ALIGN)..).unwrap_or_default();
            Some((header.cmsg_level, header.cmsg_type, value))
        })
    }
}

/// The value of a control message, if it is long enough.
///
/// `T`: plain integers.
pub fn read<T: Copy>(value: &[u8]) -> Option<T> {
    let value = value.get(..size_of::<T>())?;
    // SAFETY: as many bytes as `T` has, and any of these are a `T`.
    Some(unsafe { value.as_ptr().cast::<T>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_read_back_and_a_cut_one_is_none() {
        let mut control = Control::new();
        control.push(17, 2, 1420u32);
        control.push(0, 19, [7u8; 8]);
        let found: Vec<_> = control.each().map(|(level, kind, value)| (level, kind, value.to_vec())).collect();
        assert_eq!(found, [(17, 2, 1420u32.to_ne_bytes().to_vec()), (0, 19, vec![7; 8])]);
        assert_eq!(read::<u32>(&found[0].2), Some(1420));
        assert_eq!(read::<u64>(&found[0].2), None);
        for used in 0..control.used {
            control.filled(used);
            assert!(control.each().count() < 2, "{used}");
        }
    }
}
