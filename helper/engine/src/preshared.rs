//! The preshared keys that a peer may have. While a key changes, both ends hold the old and the new one: who answers a
//! handshake takes the first of its keys, and who asked accepts any of its own, so that no handshake fails for the change.
//!
//! An initiation doesn't tell the key. Who answers, and isn't understood, takes the next key for the next initiation.
use crate::key::{PublicKey, Secret};
use crate::peer::PeerState;
use crate::uapi::SetRequest;
use gotatun::noise::TunnResult;
use gotatun::noise::errors::WireGuardError;
use gotatun::packet::{Packet, WgKind};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Names a key to its owner, who chose it. 0: the configured one.
pub type Label = u64;

/// Keys with their names; None is WireGuard's "no preshared key".
pub type Preshared = Vec<(Label, Option<Secret>)>;

/// gotatun forgets a session when as many newer ones have been made, whether they are ever used or not.
const SESSIONS: usize = 8;
/// A session that has brought something this lately is worth more than another answer that may not be used; longer than
/// most keepalives.
const LATELY: Duration = Duration::from_secs(30);

/// Takes out of a change what is `configured` already: the keys agreed since then stay.
pub fn leave_agreed(change: &mut SetRequest, configured: &BTreeMap<PublicKey, Option<Secret>>) {
    for peer in &mut change.peers {
        let wanted = peer.preshared_key.as_ref().map(|key| key.as_ref().map(Secret::from));
        if wanted.is_some() && wanted.as_ref() == configured.get(&peer.public_key) {
            peer.preshared_key = None;
        }
    }
}

#[derive(Clone)]
pub struct Keys {
    /// Never empty.
    all: Preshared,
    /// Which key our last answer was made with, unless it has been used, or we have been answered since.
    turn: Option<usize>,
    /// Our answers that nobody has used yet, the newest last: index of the session, and the key.
    unused: Vec<(u32, Label)>,
    /// Of the session agreed last.
    agreed: Label,
    /// Sessions made since that one.
    newer: usize,
    /// When a session brought something.
    heard: Option<Instant>,
}

impl Keys {
    pub fn configured(key: Option<Secret>) -> Self {
        Self { all: vec![(0, key)], turn: None, unused: Vec::new(), agreed: 0, newer: 0, heard: None }
    }

    pub fn all(&self) -> &[(Label, Option<Secret>)] {
        &self.all
    }

    /// A session has brought something.
    pub fn heard(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    fn next_turn(&self) -> usize {
        self.turn.map_or(0, |turn| turn + 1)
    }

    fn settle(&mut self, label: Label, newer: usize) {
        self.agreed = label;
        self.newer = newer;
        self.turn = None;
    }
}

impl PeerState {
    /// Use these keys from the next handshake on, the first for answers; the session that there is lives on.
    pub fn set_preshared(&mut self, all: Preshared) {
        debug_assert!(!all.is_empty());
        self.keys.all = all;
        self.keys.turn = None;
        // With other keys it is worth another try.
        self.keys.newer = self.keys.newer.min(SESSIONS - 2);
        self.select(0);
    }

    /// Name of the key that the session agreed last was made with.
    pub fn agreed(&self) -> Label {
        self.keys.agreed
    }

    /// How many of our last answers were not used before the peer asked again.
    pub fn unused_answers(&self) -> usize {
        self.keys.turn.unwrap_or(0)
    }

    /// `Tunn::handle_incoming_packet` with all keys.
    pub fn receive(&mut self, message: WgKind, now: Instant) -> TunnResult {
        match message {
            WgKind::HandshakeInit(_) => self.receive_initiation(message, now),
            WgKind::HandshakeResp(answer) => self.receive_answer(&answer.into_bytes()),
            message => {
                let result = self.tunn.handle_incoming_packet(message);
                if matches!(result, TunnResult::WriteToTunnel(_)) {
                    self.keys.heard = Some(now);
                }
                result
            }
        }
    }

    /// A data message came for our session `index`. True when it is the first of a session that the peer asked for.
    pub fn confirmed(&mut self, index: u32) -> bool {
        let Some(at) = self.keys.unused.iter().position(|(unused, _)| *unused == index) else { return false };
        let label = self.keys.unused[at].1;
        self.keys.unused.drain(..=at);
        let newer = self.keys.unused.len();
        self.keys.settle(label, newer);
        true
    }

    fn receive_answer(&mut self, answer: &[u8]) -> TunnResult {
        let mut result = TunnResult::Done;
        for i in 0..self.keys.all.len() {
            // A key that doesn't fit leaves the handshake as it was.
            self.select(i);
            result = match Packet::copy_from(answer).try_into_wg() {
                Ok(answer) => self.tunn.handle_incoming_packet(answer),
                Err(_) => unreachable!("it has been one before"),
            };
            if !matches!(result, TunnResult::Err(_)) {
                self.keys.settle(self.keys.all[i].0, 0);
                break;
            }
        }
        self.select(0);
        result
    }

    fn receive_initiation(&mut self, message: WgKind, now: Instant) -> TunnResult {
        let lately = self.keys.heard.is_some_and(|then| now.saturating_duration_since(then) < LATELY);
        if lately && self.keys.newer >= SESSIONS - 1 {
            return TunnResult::Err(WireGuardError::UnexpectedPacket);
        }
        let turn = self.keys.next_turn();
        let i = turn % self.keys.all.len();
        self.select(i);
        let result = self.tunn.handle_incoming_packet(message);
        self.select(0);
        // A repeated or forged one is none: it must not make us take another key.
        if let TunnResult::WriteToNetwork(WgKind::HandshakeResp(answer)) = &result {
            let unused = &mut self.keys.unused;
            if unused.len() >= SESSIONS {
                unused.remove(0);
            }
            unused.push((answer.sender_idx.get(), self.keys.all[i].0));
            self.keys.turn = Some(turn);
            self.keys.newer += 1;
        }
        result
    }

    fn select(&mut self, i: usize) {
        self.tunn.set_preshared_key(self.keys.all[i].1.as_ref().map(|key| key.0));
    }
}

#[cfg(test)]
mod tests;
