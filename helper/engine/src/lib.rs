//! SloPN's WireGuard data plane: TUN ⇄ WireGuard ⇄ UDP.
pub mod offload;
pub mod uapi;
