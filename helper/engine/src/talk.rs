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

    /// A message is about to leave.
    pub fn leaves(&self, events: &Events, peer: &PublicKey, message: &WgKind, to: SocketAddr) {
        let what = match message {
            WgKind::HandshakeInit(_) => "handshake sent to",
            WgKind::HandshakeResp(_) => "handshake answered to",
            WgKind::CookieReply(_) | WgKind::Data(_) => return,
        };
        events.log(Level::Debug, format!("peer {}: {what} {to}", short(peer)));
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
