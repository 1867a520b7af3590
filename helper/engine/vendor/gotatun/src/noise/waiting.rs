// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.
//
// This file incorporates work covered by the following copyright and
// permission notice:
//
//   Copyright (c) Mullvad VPN AB. All rights reserved.
//   Copyright (c) 2019 Cloudflare, Inc. All rights reserved.
//
// SPDX-License-Identifier: MPL-2.0


//! Packets that wait for a session. Of one tunnel a few hundred may, of all that share a [`Room`] no more than it holds: who
//! sends to thousands of peers that don't answer must not fill the memory. Not in upstream.

use crate::packet::Packet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Packets that may wait in one tunnel.
const MAX_QUEUE_DEPTH: usize = 256;
/// What a packet takes beside its bytes.
const EXTRA: usize = 128;

/// Bytes for the waiting packets of all tunnels together.
#[derive(Debug)]
pub struct Room(AtomicUsize);

/// The queue of one tunnel.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Each with what it takes of the room.
    packets: VecDeque<(Packet, usize)>,
    room: Arc<Room>,
}

impl Room {
    /// So many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(AtomicUsize::new(bytes))
    }

    /// Bytes that are free.
    pub fn left(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Relaxed);
    }
}

impl Waiting {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { packets: VecDeque::new(), room }
    }

    /// Drops it when too many are already there. One packet always may wait, so that those of one tunnel keep no other from
    /// its first.
    pub(super) fn push(&mut self, packet: Packet) {
        let taken = if self.packets.is_empty() { 0 } else { packet.len() + EXTRA };
        if self.packets.len() < MAX_QUEUE_DEPTH && self.room.take(taken) {
            self.packets.push_back((packet, taken));
        }
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        let (packet, taken) = self.packets.pop_front()?;
        self.room.give_back(taken);
        if self.packets.is_empty() {
            self.packets = VecDeque::new();
        }
        Some(packet)
    }

    pub(super) fn clear(&mut self) {
        let taken = self.packets.iter().map(|(_, taken)| taken).sum();
        self.packets = VecDeque::new();
        self.room.give_back(taken);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(n: u8) -> Packet {
        Packet::copy_from(&[n; 1000][..])
    }

    fn filled(room: &Arc<Room>, count: usize) -> Waiting {
        let mut waiting = Waiting::new(Arc::clone(room));
        (0..count).for_each(|n| waiting.push(packet(n as u8)));
        waiting
    }

    #[test]
    fn the_first_ones_wait_in_order() {
        let room = Arc::new(Room::new(1 << 20));
        let mut waiting = filled(&room, MAX_QUEUE_DEPTH + 9);
        let firsts: Vec<_> = std::iter::from_fn(|| waiting.pop()).map(|packet| packet[0]).collect();
        assert_eq!(firsts, (0..MAX_QUEUE_DEPTH).map(|n| n as u8).collect::<Vec<_>>());
        assert_eq!(room.left(), 1 << 20);
    }

    #[test]
    fn all_together_take_no_more_than_the_room_and_each_has_one() {
        let room = Arc::new(Room::new(100_000));
        let mut all: Vec<_> = (0..1000).map(|_| filled(&room, 50)).collect();
        let kept: Vec<_> = all.iter().map(|waiting| waiting.packets.len()).collect();
        assert!(kept.iter().all(|kept| *kept >= 1));
        assert_eq!(kept.iter().sum::<usize>() - 1000, 100_000 / (1000 + EXTRA));
        // What goes makes room, however it goes.
        all[0].clear();
        let left = room.left();
        assert!(left >= 49 * (1000 + EXTRA));
        all[999].push(packet(1));
        assert_eq!(all[999].packets.len(), 2);
        drop(all);
        assert_eq!(room.left(), 100_000);
    }
}
