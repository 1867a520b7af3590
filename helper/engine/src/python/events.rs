//! Events as Python has them.
use super::shown;
use crate::events::Event;
use pyo3::prelude::*;

#[pyclass(name = "Event", module = "slopn_engine", frozen)]
pub enum PyEvent {
    Up {},
    #[pyo3(constructor = (public_key, rtt, preshared = 0))]
    Handshake {
        public_key: Vec<u8>,
        rtt: Option<f64>,
        preshared: u64,
    },
    Unused {
        public_key: Vec<u8>,
        answers: usize,
    },
    Stale {
        public_key: Vec<u8>,
        age: Option<f64>,
    },
    Roamed {
        public_key: Vec<u8>,
        endpoint: (String, u16),
    },
    Flooded {
        endpoint: (String, u16),
        proven: bool,
        handshakes: u32,
    },
    PathMtu {
        public_key: Vec<u8>,
        over6: bool,
        mtu: Option<u16>,
    },
    Log {
        level: String,
        text: String,
    },
    Down {
        reason: String,
    },
}

impl From<Event> for PyEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Up => Self::Up {},
            Event::Handshake { peer, rtt, preshared } => {
                Self::Handshake { public_key: peer.to_vec(), rtt: rtt.map(|d| d.as_secs_f64()), preshared }
            }
            Event::Unused { peer, answers } => Self::Unused { public_key: peer.to_vec(), answers },
            Event::Stale { peer, age } => Self::Stale { public_key: peer.to_vec(), age: age.map(|d| d.as_secs_f64()) },
            Event::Roamed { peer, endpoint } => Self::Roamed { public_key: peer.to_vec(), endpoint: shown(endpoint) },
            Event::Flooded { from, proven, handshakes } => Self::Flooded { endpoint: shown(from), proven, handshakes },
            Event::PathMtu { peer, over6, mtu } => Self::PathMtu { public_key: peer.to_vec(), over6, mtu },
            Event::Log { level, text } => Self::Log { level: format!("{level:?}").to_lowercase(), text },
            Event::Down { reason } => Self::Down { reason },
        }
    }
}
