//! SloPN's WireGuard data plane: TUN ⇄ WireGuard ⇄ UDP.
//!
//! Read it in this order: `engine` (what can be asked of it), `shared` (what its threads share), `threads`, then
//! `outbound` and `inbound` (the way of a packet), `peer`, `udp`, `tun`, `offload`.
pub mod agenda;
pub mod allowed;
pub mod arrived;
pub mod batch;
pub mod calls;
pub mod config;
pub mod control;
pub mod cookies;
pub mod counters;
pub mod echo;
pub mod engine;
pub mod events;
pub mod greeting;
#[cfg(test)]
mod hostile;
pub mod identity;
pub mod inbound;
pub mod index;
pub mod key;
pub mod limiter;
pub mod load;
pub mod offload;
pub mod outbound;
pub mod paths;
pub mod peer;
mod pipeline;
pub mod pmtu;
pub mod prefix;
pub mod preshared;
#[cfg(feature = "python")]
mod python;
pub mod race;
mod receive;
pub mod roaming;
pub mod shared;
pub mod silence;
pub mod sys;
mod talk;
pub mod threads;
pub mod timers;
mod transmit;
pub mod tun;
pub mod uapi;
pub mod udp;
#[cfg(unix)]
pub mod wg;

/// For the fuzz targets: the state machine whose packets they make.
pub use gotatun;

/// What fuzz targets share with tests names the crate as they do.
#[cfg(test)]
extern crate self as slopn_engine;
