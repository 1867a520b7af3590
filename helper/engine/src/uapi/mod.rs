//! The cross-platform UAPI socket, so that `wg` works on our interface.
