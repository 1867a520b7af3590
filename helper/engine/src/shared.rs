//! What the threads and the owner of an engine share.
use crate::calls::{Initiation, Purpose};
use crate::counters::{Counters, add};
use crate::events::{Event, Events, Level};
use crate::index::IndexMap;
use crate::key::{PublicKey, short};
use crate::load::Stages;
use crate::paths::Paths;
use crate::peer::{Identity, Peer, PeerState};
use crate::prefix::Table;
use crate::sys::Signal;
use crate::talk::Talk;
use crate::tun::Tun;
use crate::udp::{Outgoing, Sender, Sockets, Wire};
use gotatun::packet::WgKind;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Instant;

pub struct Shared {
    pub tun: Tun,
    pub events: Arc<Events>,
    pub counters: Counters,
    pub index: IndexMap,
    pub talk: Talk,
    pub mtu: AtomicU16,
    pub stages: Stages,
    pub paths: Paths,
    pub tx_wake: Signal,
    /// Of whoever waits for room in the sockets.
    pub send_wake: Signal,
    pub rx_wake: Signal,
    pub timer_wake: Signal,
    pub wanted: Wanted,
    stop: AtomicBool,
    generation: AtomicU64,
    view: RwLock<Arc<View>>,
    sockets: RwLock<Option<Arc<Sockets>>>,
}

/// The configuration as packets need it. Replaced as a whole, never changed.
#[derive(Default)]
pub struct View {
    pub identity: Option<Arc<Identity>>,
    pub peers: HashMap<PublicKey, Arc<Peer>>,
    pub routes: Table<Arc<Peer>>,
}

/// A thread's hold on view and sockets. Costs one atomic load while nothing has changed.
pub struct Local {
    generation: u64,
    pub view: Arc<View>,
    pub sockets: Option<Arc<Sockets>>,
}

/// Peers that the timers are to look at, once for each call.
#[derive(Default)]
pub struct Wanted(Mutex<Vec<PublicKey>>);

impl Wanted {
    pub fn take(&self) -> Vec<PublicKey> {
        std::mem::take(&mut self.0.lock())
    }
}

/// A datagram and the peer that it is for.
pub struct ToPeer {
    pub peer: Arc<Peer>,
    pub packet: Wire,
    pub to: SocketAddr,
    pub purpose: Purpose,
}

/// Counts what has left for each datagram's peer.
pub fn count_sent(sender: &Sender, peers: &[Arc<Peer>], batch: &[Outgoing]) {
    for (i, (peer, (packet, _))) in peers.iter().zip(batch).enumerate() {
        if !sender.lost(i) {
            add(&peer.tx_bytes, packet.len());
        }
    }
}

impl Shared {
    pub fn new(tun: Tun, events: Arc<Events>, mtu: u16, stages: Stages) -> io::Result<Self> {
        Ok(Self {
            tun,
            events,
            counters: Counters::default(),
            index: IndexMap::default(),
            talk: Talk::default(),
            mtu: AtomicU16::new(mtu),
            stages,
            paths: Paths::default(),
            tx_wake: Signal::new()?,
            send_wake: Signal::new()?,
            rx_wake: Signal::new()?,
            timer_wake: Signal::new()?,
            wanted: Wanted::default(),
            stop: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            view: RwLock::default(),
            sockets: RwLock::default(),
        })
    }

    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.read())
    }

    pub fn set_view(&self, view: View) {
        *self.view.write() = Arc::new(view);
        self.changed();
    }

    pub fn sockets(&self) -> Option<Arc<Sockets>> {
        self.sockets.read().clone()
    }

    /// The old ones are closed once every thread has noticed.
    pub fn set_sockets(&self, sockets: Option<Arc<Sockets>>) {
        *self.sockets.write() = sockets;
        self.changed();
    }

    pub fn is_stopping(&self) -> bool {
        self.stop.load(SeqCst)
    }

    /// Makes all threads end.
    pub fn stop(&self) {
        self.stop.store(true, SeqCst);
        self.changed();
    }

    /// The engine ends by itself.
    pub fn down(&self, reason: impl Into<String>) {
        self.events.push(Event::Down { reason: reason.into() });
        self.stop();
    }

    /// Sends what no packet has asked for. Doesn't wait: timers must not hang on a full socket, and handshakes are tried
    /// again.
    pub fn send(&self, datagrams: Vec<ToPeer>) {
        if datagrams.is_empty() {
            return;
        }
        let (sent, batch): (Vec<_>, Vec<_>) =
            datagrams.into_iter().map(|d| ((d.peer, d.purpose), (d.packet, d.to))).unzip();
        let mut sender = Sender::default();
        let sockets = self.sockets();
        if let Some(sockets) = &sockets {
            sender.send(sockets, &batch[..], None, &self.counters, &self.events);
        }
        let now = Instant::now();
        for (i, ((peer, purpose), (packet, to))) in sent.iter().zip(&batch).enumerate() {
            if sockets.is_some() && !sender.lost(i) {
                add(&peer.tx_bytes, packet.len());
            }
            if *purpose == Purpose::Other {
                continue;
            }
            let has_way = sockets.is_some() && !sender.has_no_way(i);
            if peer.lock().went(*purpose, *to, has_way, now) {
                let text = format!("peer {}: no way to where it was, going on to {to}", short(&peer.key));
                self.events.log(Level::Info, text);
            }
        }
    }

    /// A handshake begins: the timers' thread sends it, to one address after the other.
    pub fn begin(&self, peer: &Arc<Peer>, state: &mut PeerState, message: Initiation, now: Instant) {
        self.index.learn_index(message.sender_idx.get(), peer);
        state.begin(message, now);
        self.look(peer);
    }

    /// Makes the timers look at this peer now: something has begun.
    pub fn look(&self, peer: &Peer) {
        let mut wanted = self.wanted.0.lock();
        if wanted.last() != Some(&peer.key) {
            wanted.push(peer.key);
        }
        drop(wanted);
        self.timer_wake.signal();
    }

    /// To be called with each answer to a handshake that is about to leave: what follows will name its index.
    pub fn leaves(&self, message: &WgKind, peer: &Arc<Peer>, to: SocketAddr) {
        self.index.learn(message, peer);
        self.talk.answers(&self.events, &peer.key, message, to);
    }

    fn changed(&self) {
        self.generation.fetch_add(1, SeqCst);
        for wake in [&self.tx_wake, &self.send_wake, &self.rx_wake, &self.timer_wake] {
            wake.signal();
        }
    }
}

impl Local {
    pub fn new(shared: &Shared) -> Self {
        // Read first: a change in between is then seen at the next refresh.
        let generation = shared.generation.load(SeqCst);
        Self { generation, view: shared.view(), sockets: shared.sockets() }
    }

    /// True when something may have changed. Takes back `wake`, which tells of it; ask `is_stopping` after this.
    ///
    /// The signal may come just after the change was seen, so whoever waits for it has to take it back as well.
    pub fn refresh(&mut self, shared: &Shared, wake: &Signal) -> bool {
        if self.generation == shared.generation.load(Relaxed) {
            return false;
        }
        // Drained first: a change in between signals anew.
        wake.drain();
        *self = Self::new(shared);
        true
    }
}
