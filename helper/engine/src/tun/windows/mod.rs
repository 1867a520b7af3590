//! Windows' devices: Wintun, and TAP-Windows6.
mod interface;
mod library;
mod ring;
mod tap;
mod tap_registry;
mod wintun;

pub use tap::Tap;
pub use wintun::Wintun;
