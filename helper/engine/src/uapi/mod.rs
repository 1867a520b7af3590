//! The cross-platform UAPI socket, so that `wg` works on our interface.
//!
//! `request` and `reply` are the protocol without a socket (wireguard.com/xplatform), `server` the socket. A request
//! is read whole and understood whole before the [`Device`] sees any of it. Keys are answered to whoever may open
//! the socket, which is root alone, and stand in no `Debug` output.
#![forbid(unsafe_code)]

pub use device::{Device, DeviceState, PeerChange, PeerState, Secret, SetRequest};
pub use reply::{errno, format_state};
pub use request::{Decoder, Malformed, Request};
#[cfg(unix)]
pub use server::{Server, serve};

mod device;
mod reply;
mod request;
#[cfg(unix)]
mod server;
#[cfg(test)]
pub(crate) mod tests;
