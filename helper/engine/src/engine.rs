//! An engine: its life, and what can be asked of it.
use crate::config::{Config, PeerConfig};
use crate::control::Core;
use crate::events::{Events, Level};
use crate::key::PublicKey;
use crate::load::Stages;
use crate::paths::Probing;
use crate::preshared::Preshared;
use crate::shared::Shared;
use crate::threads;
use crate::tun::{Kind, Tun};
#[cfg(unix)]
use crate::uapi;
use gotatun::noise::TimerParams;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

/// How an engine is made. `Default` but for the name is right for most.
#[derive(Clone, Debug)]
pub struct Options {
    /// The kernel puts a number for `%d`.
    pub interface: String,
    pub device: Kind,
    /// None leaves what the device has.
    pub mtu: Option<u16>,
    /// Use vnet_hdr and segmentation where the kernel gives them.
    pub offload: bool,
    /// Serve the UAPI socket, which is one of Unix.
    pub uapi: bool,
    /// For tests: the age at which the initiator renews a session, instead of the protocol's 120 s.
    pub rekey_after: Option<Duration>,
    /// How many threads share the cipher's work, each way.
    pub stages: Stages,
}

impl Options {
    pub fn new(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            device: Kind::Usual,
            mtu: Some(1420),
            offload: true,
            uapi: cfg!(unix),
            rekey_after: None,
            stages: Stages::Auto,
        }
    }
}

/// Counters of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCounters {
    pub public_key: PublicKey,
    pub endpoint: Option<SocketAddr>,
    pub last_handshake: Option<SystemTime>,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
}

/// Everything that is counted, since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub peers: Vec<PeerCounters>,
    /// Losses by kind.
    pub named: Vec<(String, u64)>,
}

/// A running data plane. Dropping it ends its threads and removes the device.
pub struct Engine {
    interface: String,
    core: Arc<Core>,
    #[cfg(unix)]
    uapi: Option<uapi::Server>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Makes the device and starts. Nothing is sent or accepted before a private key is set.
    pub fn start(options: &Options, events: Arc<Events>) -> io::Result<Self> {
        let name = &options.interface;
        let explain = |e: io::Error| io::Error::new(e.kind(), format!("cannot create the TUN device {name}: {e}"));
        let tun = Tun::create(&options.device, name, options.offload).map_err(explain)?;
        Self::start_on(tun, options, events)
    }

    /// The same with a device that is there already.
    pub fn start_on(tun: Tun, options: &Options, events: Arc<Events>) -> io::Result<Self> {
        if let Some(mtu) = options.mtu {
            tun.set_mtu(mtu)?;
        }
        let mtu = tun.mtu()?;
        let interface = tun.name()?;
        events.log(Level::Info, format!("{interface}: {}", tun.describe()));
        let shared = Arc::new(Shared::new(tun, events, mtu, options.stages)?);
        let timers =
            options.rekey_after.map(|age| TimerParams { rekey_after_time: age..=age, ..TimerParams::default() });
        let core = Arc::new(Core::new(Arc::clone(&shared), timers));
        #[cfg_attr(windows, expect(unused_mut, reason = "the UAPI socket comes later"))]
        let mut engine = Self {
            interface,
            core,
            #[cfg(unix)]
            uapi: None,
            threads: threads::spawn(&shared)?,
        };
        #[cfg(unix)]
        if options.uapi {
            let on_removal = Arc::downgrade(&shared);
            let removed = move || {
                if let Some(shared) = on_removal.upgrade() {
                    shared.down("the UAPI socket was removed");
                }
            };
            let device = Arc::clone(&engine.core) as Arc<dyn uapi::Device>;
            engine.uapi = Some(uapi::serve(&engine.interface, device, removed)?);
        }
        Ok(engine)
    }

    /// Makes `config` the whole desired state. With `initiate`, every peer with an endpoint is sent a handshake.
    ///
    /// Sessions of peers that stay live on, unless the private key is another one. Fails, with the state as it was,
    /// when the sockets can't be bound as wished.
    pub fn apply(&self, config: &Config, initiate: bool) -> io::Result<()> {
        self.alive()?;
        self.core.apply(config)?;
        if initiate {
            self.core.initiate();
        }
        Ok(())
    }

    /// Removes these peers, then adds or changes those, at once; all others stay, and nobody is sent a handshake.
    ///
    /// A prefix that moves from one peer to another belongs to one of both at every moment.
    pub fn change_peers(&self, remove: &[PublicKey], put: &[PeerConfig]) -> io::Result<()> {
        self.alive()?;
        self.core.change_peers(remove, put)
    }

    /// Preshared keys of a peer, each with a name for `Event::Handshake`; at least one. The first is in force: what `wg`
    /// shows, and what handshakes are answered with, unless the peer doesn't use the answer; then the next is tried. Any
    /// of them is accepted in an answer. The session lives on.
    ///
    /// They hold through `apply` until that has another preshared key for the peer than before.
    pub fn set_preshared(&self, peer: &PublicKey, keys: Preshared, initiate: bool) -> io::Result<()> {
        self.alive()?;
        if keys.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no preshared key, not even none"));
        }
        self.core.set_preshared(peer, keys, initiate)
    }

    /// Fresh sockets, on the same port if one was asked for. Peers are told by the next packet, which goes at once.
    pub fn rebind(&self) -> io::Result<()> {
        self.alive()?;
        self.core.rebind()?;
        self.core.shared.paths.reset();
        self.core.shared.timer_wake.signal();
        Ok(())
    }

    pub fn counters(&self) -> Snapshot {
        self.core.counters()
    }

    pub fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        self.alive()?;
        self.core.set_mtu(mtu)
    }

    /// Measure the path's MTU to a peer from now on, told by `Event::PathMtu`; None: no longer.
    pub fn probe_path(&self, peer: &PublicKey, probing: Option<Probing>) -> io::Result<()> {
        self.alive()?;
        self.core.shared.paths.want(*peer, probing);
        self.core.shared.timer_wake.signal();
        Ok(())
    }

    /// The device's name when the engine was made.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The number by which Windows knows the device, else none.
    pub fn luid(&self) -> Option<u64> {
        self.core.shared.tun.luid()
    }

    /// 0 while there are no sockets.
    pub fn listen_port(&self) -> u16 {
        self.core.listen_port()
    }

    fn alive(&self) -> io::Result<()> {
        if self.core.is_stopping() {
            return Err(io::Error::other("the engine has ended by itself; see its Down event"));
        }
        Ok(())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // First, since its thread asks the core.
        #[cfg(unix)]
        drop(self.uapi.take());
        self.core.stop();
        for thread in self.threads.drain(..) {
            // A panic has been reported by the thread itself.
            let _ = thread.join();
        }
    }
}
