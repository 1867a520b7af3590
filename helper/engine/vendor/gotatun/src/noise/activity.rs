// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.
//
// SPDX-License-Identifier: MPL-2.0

//! When a peer and we have last heard of each other: what the timers need to know of transport messages, kept in atomics, so
//! that whoever sends or receives these holds no lock of the tunnel's. Not in upstream.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

#[cfg(not(feature = "mock_instant"))]
use crate::sleepyinstant::Instant;
#[cfg(feature = "mock_instant")]
use mock_instant::thread_local::Instant;

/// Times are nanoseconds since the tunnel was made. Two threads may write at the same time: then one of the two orders that
/// the events could have had is what stays.
#[derive(Debug)]
pub struct Activity {
    started: Instant,
    received: AtomicU64,
    /// The last transport message among these.
    opened: AtomicU64,
    sent: AtomicU64,
    data_received: AtomicU64,
    data_sent: AtomicU64,
    /// The first data sent since something was received; 0: none.
    unanswered: AtomicU64,
    /// The first data received since something was sent; 0: none.
    owed: AtomicU64,
}

/// A moment on the tunnel's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            received: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            data_received: AtomicU64::new(0),
            data_sent: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            owed: AtomicU64::new(0),
        }
    }

    /// Now; one reading may serve a batch.
    pub fn now(&self) -> Moment {
        Moment(Instant::now().duration_since(self.started).as_nanos() as u64).at_least_one()
    }

    /// A packet has been sealed; `data`: at least one that isn't a keepalive.
    pub fn sent(&self, at: Moment, data: bool) {
        self.sent.fetch_max(at.0, Relaxed);
        clear(&self.owed);
        if data {
            self.data_sent.fetch_max(at.0, Relaxed);
            if self.unanswered.load(Relaxed) == 0 {
                self.unanswered.store(at.0, Relaxed);
            }
        }
    }

    /// A transport message has been accepted; `data`: at least one that isn't a keepalive.
    pub fn opened(&self, at: Moment, data: bool) {
        self.opened.fetch_max(at.0, Relaxed);
        self.received(at, data);
    }

    /// A packet has been authenticated; `data`: at least one that isn't a keepalive.
    pub(super) fn received(&self, at: Moment, data: bool) {
        self.received.fetch_max(at.0, Relaxed);
        clear(&self.unanswered);
        if data {
            self.data_received.fetch_max(at.0, Relaxed);
            if self.owed.load(Relaxed) == 0 {
                self.owed.store(at.0, Relaxed);
            }
        }
    }

    /// When something authenticated came last; `None`: never.
    pub fn last_received(&self) -> Option<Moment> {
        Some(Moment(self.received.load(Relaxed))).filter(|at| at.0 != 0)
    }

    /// How long ago that was.
    pub fn since_received(&self) -> Option<Duration> {
        self.age(&self.received)
    }

    /// How long ago a transport message was accepted; `None`: never.
    pub fn since_opened(&self) -> Option<Duration> {
        self.age(&self.opened)
    }

    /// How long ago the first data was sent that nothing has come after; `None`: there is none.
    pub fn since_unanswered(&self) -> Option<Duration> {
        self.age(&self.unanswered)
    }

    /// Whether something has to be sent or heard soon, so that the timers must look often.
    pub fn is_pending(&self) -> bool {
        self.unanswered.load(Relaxed) != 0 || self.owed.load(Relaxed) != 0
    }

    pub(super) fn last_any(&self) -> Duration {
        duration(self.sent.load(Relaxed).max(self.received.load(Relaxed)))
    }

    pub(super) fn last_data_received(&self) -> Duration {
        duration(self.data_received.load(Relaxed))
    }

    pub(super) fn last_data_sent(&self) -> Duration {
        duration(self.data_sent.load(Relaxed))
    }

    pub(super) fn unanswered(&self) -> Option<Duration> {
        some(&self.unanswered)
    }

    pub(super) fn owed(&self) -> Option<Duration> {
        some(&self.owed)
    }

    /// What was sent so far needs no answer.
    pub fn forget_unanswered(&self) {
        clear(&self.unanswered);
    }

    pub(super) fn forget_owed(&self) {
        clear(&self.owed);
    }

    fn age(&self, of: &AtomicU64) -> Option<Duration> {
        let at = some(of)?;
        Some(duration(self.now().0).saturating_sub(at))
    }
}

impl Moment {
    pub(super) fn from(time: Duration) -> Self {
        Self(time.as_nanos() as u64).at_least_one()
    }

    fn at_least_one(self) -> Self {
        Self(self.0.max(1))
    }
}

fn duration(ns: u64) -> Duration {
    Duration::from_nanos(ns)
}

fn some(of: &AtomicU64) -> Option<Duration> {
    Some(of.load(Relaxed)).filter(|at| *at != 0).map(duration)
}

/// Reads first: most often there is nothing to clear, and a write would take the cache line from the other thread.
fn clear(of: &AtomicU64) {
    if of.load(Relaxed) != 0 {
        of.store(0, Relaxed);
    }
}
