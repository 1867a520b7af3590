//! The control side of an engine: one change at a time, from its owner or from the UAPI socket.
use crate::allowed::Allowed;
use crate::calls::Initiation;
use crate::config::{Config, PeerConfig, as_changes};
use crate::counters;
use crate::engine::Snapshot;
use crate::events::{Event, Level};
use crate::key::{PublicKey, Secret, refuse_weak, short};
use crate::peer::{Identity, Peer, PeerState};
use crate::prefix::Prefix;
use crate::preshared::{Preshared, leave_agreed};
use crate::shared::{Shared, View};
use crate::uapi::{PeerChange, SetRequest};
use crate::udp::{Binding, Sockets};
use gotatun::noise::TimerParams;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How long to wait until threads let go of sockets that are to be closed.
const CLOSING: Duration = Duration::from_secs(1);

pub struct Core {
    pub(crate) shared: Arc<Shared>,
    timers: Option<TimerParams>,
    pub(crate) control: Mutex<Control>,
}

/// The configuration as it was asked for.
#[derive(Default)]
pub(crate) struct Control {
    pub private: Option<Secret>,
    /// Made from `private`.
    identity: Option<Arc<Identity>>,
    pub binding: Binding,
    pub peers: BTreeMap<PublicKey, Arc<Peer>>,
    /// Reports disconnection once the present sockets are closed.
    closed: Option<mpsc::Receiver<()>>,
    pub allowed: Allowed,
    /// Preshared keys as configured; what was agreed since is the peer's.
    preshared: BTreeMap<PublicKey, Option<Secret>>,
    up: bool,
    /// Indices of removed peers are still known.
    removed: bool,
}

impl Control {
    /// Peers may come before the private key. They get their real state together with it.
    fn identity_or_stand_in(&self) -> Arc<Identity> {
        self.identity.clone().unwrap_or_else(|| Arc::new(Identity::new(&Secret([1; 32]))))
    }
}

impl Core {
    pub fn new(shared: Arc<Shared>, timers: Option<TimerParams>) -> Self {
        Self { shared, timers, control: Mutex::default() }
    }

    pub fn apply(&self, config: &Config) -> io::Result<()> {
        let mut control = self.control.lock();
        let mut change = config.as_change(control.peers.keys().copied());
        leave_agreed(&mut change, &control.preshared);
        self.change(&mut control, change, Some(config.bind_device.clone()))
    }

    /// Removes these peers, then adds or changes those. All others stay as they are.
    pub fn change_peers(&self, remove: &[PublicKey], put: &[PeerConfig]) -> io::Result<()> {
        let mut control = self.control.lock();
        if !control.up {
            return Err(io::Error::new(io::ErrorKind::NotConnected, "the engine has no configuration yet"));
        }
        let mut change = SetRequest { peers: as_changes(remove, put), ..SetRequest::default() };
        leave_agreed(&mut change, &control.preshared);
        self.change(&mut control, change, None)
    }

    pub fn rebind(&self) -> io::Result<()> {
        let mut control = self.control.lock();
        let binding = control.binding.clone();
        self.bind(&mut control, &binding)?;
        self.begin(control.peers.values(), PeerState::rebound);
        Ok(())
    }

    /// Begins a handshake with every peer whose endpoint is known.
    pub fn initiate(&self) {
        self.begin(self.shared.view().peers.values(), PeerState::kick);
    }

    /// Keys of a peer from now on, the first in force, until the configuration has another; never an empty list.
    pub fn set_preshared(&self, key: &PublicKey, keys: Preshared, initiate: bool) -> io::Result<()> {
        let control = self.control.lock();
        let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("{} is no peer", short(key)));
        let peer = control.peers.get(key).ok_or_else(unknown)?;
        peer.lock().set_preshared(keys);
        self.begin(initiate.then_some(peer).into_iter(), PeerState::kick);
        Ok(())
    }

    pub fn counters(&self) -> Snapshot {
        counters::snapshot(&self.shared.view(), &self.shared.counters)
    }

    pub fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        self.shared.tun.set_mtu(mtu)?;
        self.shared.mtu.store(mtu, Relaxed);
        Ok(())
    }

    pub fn listen_port(&self) -> u16 {
        self.shared.sockets().map_or(0, |s| s.port)
    }

    pub fn stop(&self) {
        self.shared.stop();
    }

    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// What can fail comes first, so that a change is made whole or not at all.
    pub(crate) fn change(
        &self,
        control: &mut Control,
        change: SetRequest,
        device: Option<Option<String>>,
    ) -> io::Result<()> {
        change.peers.iter().filter(|p| !p.remove).try_for_each(|peer| refuse_weak(&peer.public_key))?;
        let binding = Binding {
            port: change.listen_port.unwrap_or(control.binding.port),
            fwmark: change.fwmark.unwrap_or(control.binding.fwmark),
            device: device.unwrap_or_else(|| control.binding.device.clone()),
        };
        match self.shared.sockets() {
            Some(sockets) if (binding.port, &binding.device) == (control.binding.port, &control.binding.device) => {
                if binding.fwmark != control.binding.fwmark {
                    sockets.set_fwmark(binding.fwmark)?;
                }
            }
            _ => self.bind(control, &binding).inspect_err(|_| self.bind_again(control))?,
        }
        control.binding = binding;
        if let Some(private) = change.private_key {
            self.set_private(control, private.as_ref().map(Into::into));
        }
        if change.replace_peers {
            let keys: Vec<_> = control.peers.keys().copied().collect();
            keys.iter().for_each(|key| self.remove(control, key));
        }
        for peer in change.peers {
            self.change_peer(control, &peer);
        }
        self.publish(control);
        if std::mem::take(&mut control.removed) {
            // Once for all of them, and after the threads were shown that they are no more.
            self.shared.index.purge(|peer| control.peers.get(&peer.key).is_some_and(|p| Arc::ptr_eq(p, peer)));
        }
        if !control.up && control.private.is_some() {
            control.up = true;
            self.shared.events.push(Event::Up);
        }
        Ok(())
    }

    fn set_private(&self, control: &mut Control, private: Option<Secret>) {
        if private == control.private {
            return;
        }
        control.identity = private.as_ref().map(|p| Arc::new(Identity::new(p)));
        control.private = private;
        if let Some(identity) = &control.identity {
            let own = identity.public.to_bytes();
            self.remove(control, &own);
        }
        // Also when there is no key any more: the old one goes with the old state.
        let identity = control.identity_or_stand_in();
        for peer in control.peers.values() {
            let mut state = peer.lock();
            let mut fresh = self.state(&identity, &peer.key);
            fresh.adopt(&state);
            *state = fresh;
        }
    }

    fn change_peer(&self, control: &mut Control, change: &PeerChange) {
        let key = change.public_key;
        if change.remove {
            return self.remove(control, &key);
        }
        let peer = match control.peers.get(&key) {
            Some(peer) => Arc::clone(peer),
            None if change.update_only => return,
            None => {
                let identity = control.identity_or_stand_in();
                if identity.public.to_bytes() == key {
                    return;
                }
                let peer = Peer::new(key, self.state(&identity, &key));
                control.peers.insert(key, Arc::clone(&peer));
                peer
            }
        };
        let mut state = peer.lock();
        if let Some(preshared) = &change.preshared_key {
            let preshared = preshared.as_ref().map(Secret::from);
            state.set_preshared(vec![(0, preshared.clone())]);
            control.preshared.insert(key, preshared);
        }
        if let Some(endpoint) = change.endpoint {
            state.configure(endpoint, &change.alternatives);
        }
        if let Some(seconds) = change.keepalive {
            state.set_keepalive(Some(seconds));
        }
        drop(state);
        if change.replace_allowed_ips {
            control.allowed.take_all(&key);
        }
        for (add, net) in &change.allowed_ips {
            let prefix = Prefix::from(*net);
            if *add {
                control.allowed.give(prefix, key);
            } else {
                control.allowed.take(&prefix, &key);
            }
        }
    }

    fn remove(&self, control: &mut Control, key: &PublicKey) {
        if control.peers.remove(key).is_some() {
            control.allowed.take_all(key);
            control.preshared.remove(key);
            control.removed = true;
        }
    }

    fn state(&self, identity: &Identity, key: &PublicKey) -> PeerState {
        PeerState::new(identity, key, None, self.shared.index.table(), self.timers.as_ref())
    }

    /// Shows the threads what is in force now. Without a private key that is nothing.
    fn publish(&self, control: &Control) {
        let Some(identity) = &control.identity else {
            return self.shared.set_view(View::default());
        };
        let owner = |(prefix, key): (&Prefix, &PublicKey)| Some((*prefix, Arc::clone(control.peers.get(key)?)));
        self.shared.set_view(View {
            identity: Some(Arc::clone(identity)),
            peers: control.peers.iter().map(|(key, peer)| (*key, Arc::clone(peer))).collect(),
            routes: control.allowed.iter().filter_map(owner).collect(),
        });
    }

    /// A port that is in use by ourselves has to be closed first; else there is always a socket.
    fn bind(&self, control: &mut Control, binding: &Binding) -> io::Result<()> {
        if binding.port != 0 && binding.port == self.listen_port() {
            self.shared.set_sockets(None);
            if let Some(closed) = control.closed.take() {
                // Disconnected once the last thread has let go of them; binding tells if none did.
                let _ = closed.recv_timeout(CLOSING);
            }
        }
        let (sockets, closed) = Sockets::open(binding)?;
        self.shared.events.log(Level::Info, sockets.describe());
        control.closed = Some(closed);
        self.shared.set_sockets(Some(Arc::new(sockets)));
        Ok(())
    }

    /// After a failure: what was before, if it is no more.
    fn bind_again(&self, control: &mut Control) {
        let binding = control.binding.clone();
        if control.closed.is_none()
            && control.up
            && let Err(e) = self.bind(control, &binding)
        {
            self.shared.events.log(Level::Error, format!("udp: no sockets: {e}"));
        }
    }

    fn begin<'a>(
        &self,
        peers: impl Iterator<Item = &'a Arc<Peer>>,
        ask: impl Fn(&mut PeerState, Instant) -> Option<Initiation>,
    ) {
        let now = Instant::now();
        for peer in peers {
            let mut state = peer.lock();
            if let Some(message) = ask(&mut state, now) {
                self.shared.begin(peer, &mut state, message, now);
            }
            self.shared.look(peer);
        }
    }
}
