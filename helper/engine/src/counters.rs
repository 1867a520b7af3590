//! What peers have sent and got, what was lost and why: numbers that only grow.
use crate::engine::{PeerCounters, Snapshot};
use crate::shared::View;
use crate::sys::errno;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Errno of a send, by name; everything else counts as the last, "other".
const SEND_ERRORS: [(i32, &str); 10] = [
    (errno::ENETUNREACH, "ENETUNREACH"),
    (errno::EHOSTUNREACH, "EHOSTUNREACH"),
    (errno::EMSGSIZE, "EMSGSIZE"),
    (errno::EPERM, "EPERM"),
    (errno::EACCES, "EACCES"),
    (errno::ENOBUFS, "ENOBUFS"),
    (errno::EAGAIN, "EAGAIN"),
    (errno::EINVAL, "EINVAL"),
    (errno::ECONNREFUSED, "ECONNREFUSED"),
    (0, "other"),
];

/// All peers, by key, and what was lost.
pub fn snapshot(view: &View, losses: &Counters) -> Snapshot {
    let peers = view.peers.values().map(|peer| {
        let state = peer.lock();
        PeerCounters {
            public_key: peer.key,
            endpoint: state.endpoint(),
            last_handshake: state.last_handshake,
            rx_bytes: peer.rx_bytes.load(Relaxed),
            tx_bytes: peer.tx_bytes.load(Relaxed),
        }
    });
    let mut peers: Vec<_> = peers.collect();
    peers.sort_unstable_by_key(|p| p.public_key);
    Snapshot { peers, named: losses.named() }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// See each field.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub $name: AtomicU64,)*
            send_errors: [AtomicU64; SEND_ERRORS.len()],
        }

        impl Counters {
            /// All of them by name; failed sends as `send_ENETUNREACH` and so on, those that occurred.
            pub fn named(&self) -> Vec<(String, u64)> {
                let sends = SEND_ERRORS.iter().zip(&self.send_errors);
                let sends = sends.map(|((_, name), n)| (format!("send_{name}"), n.load(Relaxed)));
                [$((stringify!($name).to_owned(), self.$name.load(Relaxed)),)*]
                    .into_iter()
                    .chain(sends.filter(|(_, n)| *n > 0))
                    .collect()
            }
        }
    };
}

counters! {
    /// Packets from the TUN that no peer's allowed IPs cover, or that are no IP packets.
    tx_unroutable,
    /// Packets from the TUN for a peer whose endpoint is unknown.
    tx_no_endpoint,
    /// Datagrams that are no valid WireGuard message of a known peer, or came twice.
    rx_invalid,
    /// Packets that a peer sent from an address that isn't its own.
    rx_foreign_source,
    /// Cookie replies that we sent, being under load.
    cookies_sent,
    /// recvmmsg that failed, an ICMP error most often.
    recv_errors,
    /// Packets that the TUN didn't take, the interface being down most often.
    tun_write_errors,
    /// Datagrams sent one by one since the kernel refused to segment them.
    gso_refused,
}

impl Counters {
    /// Count `n` datagrams that the kernel didn't send for this errno.
    pub fn send_failed(&self, errno: i32, n: u64) {
        let last = SEND_ERRORS.len() - 1;
        let at = SEND_ERRORS.iter().position(|(e, _)| *e == errno).unwrap_or(last);
        self.send_errors[at].fetch_add(n, Relaxed);
    }
}

/// Shorthand for counting.
pub fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_sends_are_counted_by_kind() {
        let c = Counters::default();
        c.send_failed(errno::EPERM, 2);
        c.send_failed(errno::EPERM, 1);
        c.send_failed(errno::EIO, 5);
        let named = c.named();
        let get = |n: &str| named.iter().find(|(k, _)| k == n).map(|(_, v)| *v);
        assert_eq!(get("send_EPERM"), Some(3));
        assert_eq!(get("send_other"), Some(5));
        assert_eq!(get("send_EMSGSIZE"), None);
        assert_eq!(get("rx_invalid"), Some(0));
    }
}
