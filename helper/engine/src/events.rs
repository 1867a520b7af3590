//! What the engine tells its owner: a queue, and what can be waited for while it is empty.
use crate::key::PublicKey;
use crate::preshared::Label;
use crate::sys::{Signal, Waitable};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

const CAPACITY: usize = 1024;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first configuration is in force.
    Up,
    /// A session was made. `rtt`: from our initiation to the answer; none if the peer initiated. `preshared`: name of the
    /// preshared key.
    Handshake {
        peer: PublicKey,
        rtt: Option<Duration>,
        preshared: Label,
    },
    /// The peer asks again and hasn't used our last answers: they are lost, or it has another preshared key.
    Unused {
        peer: PublicKey,
        answers: usize,
    },
    /// Handshakes have gone unanswered for 15 s; again every 15 s. `age`: since the last handshake that succeeded.
    Stale {
        peer: PublicKey,
        age: Option<Duration>,
    },
    /// Authenticated packets come from another address than before; told at once, and then a few times a second at most.
    Roamed {
        peer: PublicKey,
        endpoint: SocketAddr,
    },
    /// More handshakes in a second from one IPv4 address or IPv6 /64 than anybody needs; at most 16 of these a second.
    /// `proven`: the address isn't forged.
    Flooded {
        from: SocketAddr,
        proven: bool,
        handshakes: u32,
    },
    /// The largest packet outside the tunnel that the way to a peer carries is another one than before; None: the far end
    /// answers nothing, so that it can't be known.
    PathMtu {
        peer: PublicKey,
        over6: bool,
        mtu: Option<u16>,
    },
    Log {
        level: Level,
        text: String,
    },
    /// The engine has stopped by itself. Nothing follows.
    Down {
        reason: String,
    },
}

/// The queue. When it is full, log lines go first; `Down` is never lost and nothing comes after it.
#[derive(Debug)]
pub struct Events {
    queue: Mutex<Queue>,
    signal: Signal,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    down: bool,
}

impl Events {
    pub fn new() -> io::Result<Self> {
        Ok(Self { queue: Mutex::default(), signal: Signal::new()? })
    }

    pub fn push(&self, event: Event) {
        let mut queue = self.queue.lock();
        if queue.down {
            return;
        }
        queue.down = matches!(event, Event::Down { .. });
        if queue.events.len() >= CAPACITY {
            let log = queue.events.iter().position(|e| matches!(e, Event::Log { .. }));
            match (log, &event) {
                (None, Event::Log { .. }) => return,
                (log, _) => drop(queue.events.remove(log.unwrap_or(0))),
            }
        }
        queue.events.push_back(event);
        drop(queue);
        self.signal.signal();
    }

    pub fn log(&self, level: Level, text: impl Into<String>) {
        self.push(Event::Log { level, text: text.into() });
    }

    /// Everything that has gathered, oldest first.
    pub fn take(&self) -> Vec<Event> {
        // Drained first: what is pushed in between then signals once too often, never once too seldom.
        self.signal.drain();
        self.queue.lock().events.drain(..).collect()
    }

    /// Until there is something to take.
    pub fn raised(&self) -> Waitable {
        self.signal.raised()
    }
}

#[cfg(unix)]
impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.signal.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_loses_log_lines_first_and_never_down() {
        let events = Events::new().unwrap();
        events.push(Event::Up);
        for i in 0..2 * CAPACITY {
            events.log(Level::Info, i.to_string());
        }
        events.push(Event::Stale { peer: [0; 32], age: None });
        events.push(Event::Down { reason: "x".into() });
        events.log(Level::Info, "after");
        let got = events.take();
        assert_eq!(got.len(), CAPACITY);
        assert_eq!(got[0], Event::Up);
        assert!(matches!(got[CAPACITY - 2], Event::Stale { .. }));
        assert_eq!(got[CAPACITY - 1], Event::Down { reason: "x".into() });
        assert!(events.take().is_empty());
    }
}
