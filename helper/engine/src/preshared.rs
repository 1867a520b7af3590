//! The preshared keys that a peer may have. While a key changes, both ends hold the old and the new one: who answers a
//! handshake takes the first of its keys, and who asked accepts any of its own, so that no handshake fails for the change.
//!
//! An initiation doesn't tell the key. Who answers, and isn't understood, takes the next key for the next initiation.
use crate::key::Secret;
use crate::peer::PeerState;
use gotatun::noise::TunnResult;
use gotatun::packet::{Packet, WgKind};

/// Names a key to its owner, who chose it. 0: the configured one.
pub type Label = u64;

/// gotatun forgets a session when as many newer ones have been made.
const SESSIONS: usize = 8;

#[derive(Clone)]
pub struct Keys {
    /// Never empty; None is WireGuard's "no preshared key".
    all: Vec<(Label, Option<Secret>)>,
    /// Which key our last answer was made with, unless it has been used, or we have been answered since.
    turn: Option<usize>,
    /// Our answers that nobody has used yet, the newest last: index of the session, and the key.
    unused: Vec<(u32, Label)>,
    /// Of the session agreed last.
    agreed: Label,
}

impl Keys {
    pub fn configured(key: Option<Secret>) -> Self {
        Self { all: vec![(0, key)], turn: None, unused: Vec::new(), agreed: 0 }
    }

    pub fn all(&self) -> &[(Label, Option<Secret>)] {
        &self.all
    }

    fn next_turn(&self) -> usize {
        self.turn.map_or(0, |turn| turn + 1)
    }

    fn settle(&mut self, label: Label) {
        self.agreed = label;
        self.turn = None;
    }
}

impl PeerState {
    /// Use these keys from the next handshake on, the first for answers; the session that there is lives on.
    pub fn set_preshared(&mut self, all: Vec<(Label, Option<Secret>)>) {
        debug_assert!(!all.is_empty());
        self.keys.all = all;
        self.keys.turn = None;
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
    pub fn receive(&mut self, message: WgKind) -> TunnResult {
        match message {
            WgKind::HandshakeInit(_) => self.receive_initiation(message),
            WgKind::HandshakeResp(answer) => self.receive_answer(&answer.into_bytes()),
            message => self.tunn.handle_incoming_packet(message),
        }
    }

    /// A data message came for our session `index`. True when it is the first of a session that the peer asked for.
    pub fn confirmed(&mut self, index: u32) -> bool {
        let Some(at) = self.keys.unused.iter().position(|(unused, _)| *unused == index) else { return false };
        let label = self.keys.unused[at].1;
        self.keys.unused.drain(..=at);
        self.keys.settle(label);
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
                self.keys.settle(self.keys.all[i].0);
                break;
            }
        }
        self.select(0);
        result
    }

    fn receive_initiation(&mut self, message: WgKind) -> TunnResult {
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
        }
        result
    }

    fn select(&mut self, i: usize) {
        self.tunn.set_preshared_key(self.keys.all[i].1.as_ref().map(|key| key.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::tests::identity;
    use gotatun::noise::errors::WireGuardError;
    use gotatun::noise::index_table::IndexTable;
    use gotatun::packet::WgData;
    use std::time::Instant;

    const OLD: (Label, Option<Secret>) = (1, Some(Secret([1; 32])));
    const NEW: (Label, Option<Secret>) = (2, Some(Secret([2; 32])));
    const NONE: (Label, Option<Secret>) = (0, None);

    fn ends() -> (PeerState, PeerState) {
        let (mine, theirs) = (identity(1), identity(2));
        let table = IndexTable::from_os_rng;
        let mut a = PeerState::new(&mine, theirs.public.as_bytes(), None, table(), None);
        let mut b = PeerState::new(&theirs, mine.public.as_bytes(), None, table(), None);
        a.set_endpoint("192.0.2.1:1".parse().unwrap());
        b.set_endpoint("192.0.2.2:1".parse().unwrap());
        (a, b)
    }

    fn ask(a: &mut PeerState) -> WgKind {
        a.kick(Instant::now()).unwrap().into()
    }

    fn answer(b: &mut PeerState, initiation: WgKind) -> WgKind {
        let TunnResult::WriteToNetwork(answer) = b.receive(initiation) else { panic!("not answered") };
        answer
    }

    /// Whether a handshake that `a` asks for comes about; then both say which key it was.
    fn handshake(a: &mut PeerState, b: &mut PeerState) -> Option<Label> {
        let initiation = ask(a);
        let response = answer(b, initiation);
        let TunnResult::WriteToNetwork(WgKind::Data(first)) = a.receive(response) else { return None };
        let index = first.header.receiver_idx.get();
        assert!(matches!(b.receive(WgKind::Data(first)), TunnResult::WriteToTunnel(_)));
        assert!(b.confirmed(index));
        assert_eq!(a.agreed(), b.agreed());
        Some(a.agreed())
    }

    fn seal(a: &mut PeerState) -> Packet<WgData> {
        a.tunn.encapsulate_with_session(Packet::copy_from(&[0x45; 20])).unwrap()
    }

    fn passes(a: &mut PeerState, b: &mut PeerState) -> bool {
        let sealed = WgKind::Data(seal(a));
        matches!(b.receive(sealed), TunnResult::WriteToTunnel(packet) if !packet.is_empty())
    }

    #[test]
    fn a_session_lives_on_when_the_key_changes() {
        let (mut a, mut b) = ends();
        assert_eq!(handshake(&mut a, &mut b), Some(0));
        a.set_preshared(vec![NEW]);
        assert!(passes(&mut a, &mut b) && passes(&mut b, &mut a));
        b.set_preshared(vec![NEW]);
        assert!(passes(&mut a, &mut b) && passes(&mut b, &mut a));
        assert_eq!(handshake(&mut a, &mut b), Some(2));
    }

    #[test]
    fn no_order_of_the_steps_of_a_change_makes_a_handshake_fail() {
        let (before, expects, switched, after) = (vec![OLD], vec![OLD, NEW], vec![NEW, OLD], vec![NEW]);
        let steps = [
            (&before, &before, 1, 1),
            (&expects, &before, 1, 1),
            (&expects, &switched, 2, 1),
            (&switched, &switched, 2, 2),
            (&after, &switched, 2, 2),
            (&after, &after, 2, 2),
        ];
        for (ours, theirs, asked_by_us, asked_by_them) in steps {
            let (mut a, mut b) = ends();
            a.set_preshared(ours.clone());
            b.set_preshared(theirs.clone());
            assert_eq!(handshake(&mut a, &mut b), Some(asked_by_us));
            assert_eq!(handshake(&mut b, &mut a), Some(asked_by_them));
        }
    }

    #[test]
    fn a_key_that_changes_under_way_does_no_harm() {
        let (mut a, mut b) = ends();
        a.set_preshared(vec![OLD, NEW]);
        b.set_preshared(vec![OLD]);
        let initiation = ask(&mut a);
        b.set_preshared(vec![NEW, OLD]);
        let response = answer(&mut b, initiation);
        a.set_preshared(vec![NEW, OLD]);
        assert!(matches!(a.receive(response), TunnResult::WriteToNetwork(_)));
        assert_eq!(a.agreed(), 2);
    }

    #[test]
    fn who_has_lost_the_key_gets_in_with_the_configured_one() {
        let (mut a, mut b) = ends();
        b.set_preshared(vec![NEW, OLD, NONE]);
        let tries: Vec<_> = (0..3).map(|_| handshake(&mut a, &mut b)).collect();
        assert_eq!(tries, [None, None, Some(0)]);
        assert_eq!(b.unused_answers(), 0);
        a.set_preshared(vec![NEW]);
        assert_eq!(handshake(&mut a, &mut b), Some(2));
    }

    #[test]
    fn a_repeated_initiation_makes_nobody_take_another_key() {
        let (mut a, mut b) = ends();
        a.set_preshared(vec![NEW]);
        b.set_preshared(vec![NEW, NONE]);
        let initiation = a.kick(Instant::now()).unwrap().into_bytes();
        let again = || Packet::copy_from(&initiation[..]).try_into_wg().unwrap();
        answer(&mut b, again());
        for _ in 0..5 {
            let result = b.receive(again());
            assert!(matches!(result, TunnResult::Err(WireGuardError::WrongTai64nTimestamp)));
        }
        assert_eq!(b.unused_answers(), 0);
        answer(&mut b, ask(&mut a));
        assert_eq!(b.unused_answers(), 1);
    }

    #[test]
    fn an_earlier_answer_that_is_used_counts() {
        let (mut a, mut b) = ends();
        b.set_preshared(vec![NONE, NEW]);
        let first = answer(&mut b, ask(&mut a));
        let WgKind::HandshakeResp(m) = &first else { panic!() };
        let index = m.sender_idx.get();
        answer(&mut b, ask(&mut a));
        assert!(matches!(a.receive(first), TunnResult::WriteToNetwork(_)));
        let data = WgKind::Data(seal(&mut a));
        assert!(matches!(b.receive(data), TunnResult::WriteToTunnel(_)));
        assert!(b.confirmed(index) && !b.confirmed(index));
        assert_eq!((b.agreed(), b.unused_answers()), (0, 0));
    }
}
