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

//! A session's keys and counters, apart from the handshake: what seals and opens transport messages, from any thread. Taken
//! out of `session.rs`; the types and the wiping are not in upstream.
//!
//! Counters are claimed before the cipher runs, in the order of the packets; each belongs to one [`Claim`], which can't be
//! copied. A message is verified by any thread, in any order, and accepted in one place, in order: only then is it known not
//! to be a repetition.

use crate::crypto::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use crate::noise::errors::WireGuardError;
use crate::noise::session::{REJECT_AFTER_MESSAGES, ReceivingKeyCounterValidator};
use crate::noise::timers::REJECT_AFTER_TIME;
use parking_lot::Mutex;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use zeroize::Zeroize;

#[cfg(not(feature = "mock_instant"))]
use crate::sleepyinstant::Instant;
#[cfg(feature = "mock_instant")]
use mock_instant::thread_local::Instant;

/// Bytes before the content of a transport message: type, index, counter.
pub const HEADER: usize = 16;
/// Bytes behind it: Poly1305's tag.
pub const TAG: usize = 16;
const DATA: [u8; 4] = [4, 0, 0, 0];

/// The keys of one session, for both ways. They are wiped when the last holder lets go; once the session has ended they
/// are of no use any more.
pub struct Transport {
    receiving_index: u32,
    sending_index: u32,
    receiver: Key,
    sender: Key,
    /// The next counter that nobody has claimed.
    sending_key_counter: AtomicU64,
    receiving_key_counter: Mutex<ReceivingKeyCounterValidator>,
    born: Instant,
    ended: AtomicBool,
}

/// The right to seal as many messages as were asked for. Each counter is in one claim, and leaves it once.
#[derive(Debug)]
pub struct Claim {
    transport: Arc<Transport>,
    next: u64,
    end: u64,
}

/// The cipher has run over a message and its tag was right. Whether it is a repetition isn't known yet.
#[derive(Debug)]
pub struct Verified {
    index: u32,
    counter: u64,
    content: Range<usize>,
}

impl Transport {
    pub(super) fn new(receiving_index: u32, sending_index: u32, receiving_key: [u8; 32], sending_key: [u8; 32]) -> Self {
        Self {
            receiving_index,
            sending_index,
            receiver: Key::new(receiving_key),
            sender: Key::new(sending_key),
            sending_key_counter: AtomicU64::new(0),
            receiving_key_counter: Mutex::default(),
            born: Instant::now(),
            ended: AtomicBool::new(false),
        }
    }

    /// Our index: what the peer's messages name.
    pub fn index(&self) -> u32 {
        self.receiving_index
    }

    /// Counters for the next `count` messages; `None` when the session has ended, is too old, or has none left.
    pub fn claim(self: &Arc<Self>, count: usize) -> Option<Claim> {
        if self.has_ended() || self.born.elapsed() >= REJECT_AFTER_TIME {
            return None;
        }
        let count = count as u64;
        // Not advanced past the limit, so it can't wrap.
        let claim = |next: u64| next.checked_add(count).filter(|end| *end <= REJECT_AFTER_MESSAGES);
        let next = self.sending_key_counter.fetch_update(Relaxed, Relaxed, claim).ok()?;
        Some(Claim { transport: Arc::clone(self), next, end: next + count })
    }

    /// Decrypts a transport message in place.
    ///
    /// # Errors
    /// It isn't one, it is of another session, this one has ended, or the tag is wrong; the bytes are then worthless.
    pub fn verify(&self, message: &mut [u8]) -> Result<Verified, WireGuardError> {
        let (header, content) = message.split_at_mut_checked(HEADER).ok_or(WireGuardError::InvalidPacket)?;
        if header[..4] != DATA {
            return Err(WireGuardError::InvalidPacket);
        }
        let index = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        if index != self.receiving_index {
            return Err(WireGuardError::WrongIndex);
        }
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&header[8..]);
        let counter = u64::from_le_bytes([
            nonce[4], nonce[5], nonce[6], nonce[7], nonce[8], nonce[9], nonce[10], nonce[11],
        ]);
        if counter >= REJECT_AFTER_MESSAGES || self.has_ended() {
            return Err(WireGuardError::ConnectionExpired);
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = self.receiver.get().open_in_place(nonce, Aad::empty(), content);
        let length = plain.map_err(|_| WireGuardError::InvalidAeadTag)?.len();
        Ok(Verified { index, counter, content: HEADER..HEADER + length })
    }

    /// Marks a message as received. Gives where its content stands in it.
    ///
    /// # Errors
    /// It came before, or so long ago that this isn't known; or the session has ended since.
    pub fn accept(&self, message: Verified) -> Result<Range<usize>, WireGuardError> {
        if message.index != self.receiving_index {
            return Err(WireGuardError::WrongIndex);
        }
        if self.has_ended() {
            return Err(WireGuardError::ConnectionExpired);
        }
        self.receiving_key_counter.lock().accept(message.counter)?;
        Ok(message.content)
    }

    /// From now on nothing is sealed or opened.
    pub(super) fn end(&self) {
        self.ended.store(true, SeqCst);
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    pub(super) fn current_packet_cnt(&self) -> (u64, u64) {
        self.receiving_key_counter.lock().counts()
    }

    #[cfg(test)]
    pub(super) fn set_sending_key_counter(&self, value: u64) {
        self.sending_key_counter.store(value, Relaxed);
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transport: {}<- ->{}", self.receiving_index, self.sending_index)
    }
}

impl Claim {
    /// Makes a message of `slot`: room for the header, the content, room for the tag. False, with `slot` as it was, when
    /// this claim is used up or `slot` is too short.
    #[must_use]
    pub fn seal(&mut self, slot: &mut [u8]) -> bool {
        if self.next >= self.end || slot.len() < HEADER + TAG {
            return false;
        }
        let counter = self.next.to_le_bytes();
        self.next += 1;
        let (header, rest) = slot.split_at_mut(HEADER);
        let (content, room) = rest.split_at_mut(rest.len() - TAG);
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.transport.sender.get().seal_in_place_separate_tag(nonce, Aad::empty(), content);
        // Fails for content of more than 256 GiB.
        let Ok(tag) = tag else { return false };
        header[..4].copy_from_slice(&DATA);
        header[4..8].copy_from_slice(&self.transport.sending_index.to_le_bytes());
        header[8..].copy_from_slice(&counter);
        room.copy_from_slice(tag.as_ref());
        true
    }
}

/// An AEAD key whose memory is zeroed when it is dropped, which neither ring nor aws-lc-rs promises.
struct Key(Box<MaybeUninit<LessSafeKey>>);

impl Key {
    fn new(mut bytes: [u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).expect("32 bytes are a key of ChaCha20");
        bytes.zeroize();
        Self(Box::new(MaybeUninit::new(LessSafeKey::new(key))))
    }

    fn get(&self) -> &LessSafeKey {
        // SAFETY: `new` has initialised it, and nothing but `drop` ends that.
        unsafe { self.0.assume_init_ref() }
    }
}

impl Key {
    /// Nobody may use it any more.
    fn wipe(&mut self) {
        // SAFETY: it is initialised, as above; `drop` alone calls this, once, and nobody can use it afterwards.
        unsafe { self.0.assume_init_drop() };
        self.0.zeroize();
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.wipe();
    }
}

#[cfg(test)]
#[path = "transport_tests.rs"]
mod tests;
