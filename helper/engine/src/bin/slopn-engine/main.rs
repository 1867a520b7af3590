//! `slopn-engine [-f|--foreground] IFNAME`, in place of `wireguard-go`.
fn main() {}
