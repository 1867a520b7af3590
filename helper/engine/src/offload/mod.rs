//! TSO/USO split and GRO coalescing of what a TUN device carries.
//!
//! The kernel hands over up to 64 KiB of one flow behind a `virtio_net_hdr`: [`split`] cuts it into the packets
//! that go on the wire. [`Coalescer`] does the reverse for packets that came from it. Both read hostile bytes in a
//! root process, so nothing here is unsafe, indexes a slice, or panics: what doesn't fit together is refused by
//! `split`, and passed on untouched by the coalescer.
//!
//! Source: the virtio specification 1.2, 5.1.6; Linux `include/linux/virtio_net.h`, `net/ipv4/{tcp,udp}_offload.c`.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::unreachable)
)]

pub use checksum::internet_checksum;
pub use coalesce::Coalescer;
pub use fit::{clamp_mss, fit};
pub use packet::ip_len;
pub use split::{SplitError, split};
pub use vnet::VNET_HDR_LEN;

mod checksum;
mod coalesce;
mod fit;
mod flow;
mod packet;
mod split;
#[cfg(test)]
pub(crate) mod tests;
mod vnet;
