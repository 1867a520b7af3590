//! What is said of handshakes, for whoever asks why nothing connects. Never of data, and of keys their beginning alone.
use crate::events::{Events, Level};
use crate::key::{PublicKey, short};
use gotatun::noise::errors::WireGuardError;
use gotatun::packet::WgKind;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Remembers when it complained last: a stranger's rubbish must not fill the log.
#[derive(Debug, Default)]
pub struct Talk {
    complained: Mutex<Option<Instant>>,
}

impl Talk {
    const PAUSE: Duration = Duration::from_secs(1);

    /// An answer is about to leave.
    pub fn answers(&self, events: &Events, peer: &PublicKey, message: &WgKind, to: SocketAddr) {
        if matches!(message, WgKind::HandshakeResp(_)) {
            events.log(Level::Debug, format!("peer {}: handshake answered to {to}", short(peer)));
        }
    }

    /// An initiation is about to leave.
    pub fn initiates(&self, events: &Events, peer: &PublicKey, to: SocketAddr) {
        events.log(Level::Debug, format!("peer {}: handshake sent to {to}", short(peer)));
    }

    /// A message that claims to be of `peer` can't be used: its keys are others than ours, or it is a repeated one.
    pub fn refused(&self, events: &Events, peer: &PublicKey, error: &WireGuardError, now: Instant) {
        let mut complained = self.complained.lock();
        if complained.is_some_and(|then| now.duration_since(then) < Self::PAUSE) {
            return;
        }
        *complained = Some(now);
        events.log(Level::Debug, format!("peer {}: a message can't be used: {error:?}", short(peer)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Event;

    fn told(events: &Events) -> Vec<String> {
        let text = |event| if let Event::Log { text, .. } = event { text } else { panic!("{event:?}") };
        events.take().into_iter().map(text).collect()
    }

    #[test]
    fn rubbish_is_told_once_a_second() {
        let (talk, events, begin) = (Talk::default(), Events::new().unwrap(), Instant::now());
        for ms in [0, 10, 999, 1000, 1500] {
            let now = begin + Duration::from_millis(ms);
            talk.refused(&events, &[7; 32], &WireGuardError::InvalidAeadTag, now);
        }
        assert_eq!(told(&events), ["peer BwcH…: a message can't be used: InvalidAeadTag"; 2]);
    }
}
