//! The Python module `slopn_engine._engine`. Nothing here is on the way of a packet.
mod events;
mod memory;

use crate::config::{Config, PeerConfig};
use crate::engine::{Engine, Options};
use crate::events::Events;
use crate::key::Secret;
use crate::paths::Probing;
use crate::sys::wait;
use crate::tun::Kind;
use crate::udp::parse_ip;
use events::PyEvent;
use memory::PyMemoryTun;
use parking_lot::RwLock;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
#[cfg(unix)]
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

create_exception!(slopn_engine, EngineError, PyException, "The engine could not be made or changed.");

/// IP literal and port.
type Address = (String, u16);
type PyPeer = (Vec<u8>, Option<Address>, Vec<String>, Option<Vec<u8>>, Option<u16>);

#[pyclass(name = "Engine", module = "slopn_engine", frozen)]
struct PyEngine {
    events: Arc<Events>,
    engine: RwLock<Option<Engine>>,
    #[pyo3(get)]
    interface: String,
}

#[pyclass(module = "slopn_engine", frozen, get_all)]
struct PeerCounters {
    public_key: Vec<u8>,
    endpoint: Option<(String, u16)>,
    last_handshake_ns: Option<u128>,
    rx_bytes: u64,
    tx_bytes: u64,
}

#[pyclass(module = "slopn_engine", frozen, get_all)]
struct Counters {
    rx_bytes: u64,
    tx_bytes: u64,
    peers: Vec<Py<PeerCounters>>,
    losses: HashMap<String, u64>,
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (
        interface, *, mtu = 1420, offload = true, uapi = cfg!(unix), rekey_after = None, device = None, address = None
    ))]
    #[expect(clippy::too_many_arguments, reason = "all but the first have a name")]
    fn new(
        py: Python<'_>,
        interface: &str,
        mtu: u16,
        offload: bool,
        uapi: bool,
        rekey_after: Option<f64>,
        device: Option<Device>,
        address: Option<&str>,
    ) -> PyResult<Self> {
        let device = kind(device, address)?;
        let rekey_after = rekey_after.map(Duration::try_from_secs_f64).transpose().map_err(value_error)?;
        let options = Options { device, mtu: Some(mtu), offload, uapi, rekey_after, ..Options::new(interface) };
        py.detach(|| {
            let events = Arc::new(Events::new().map_err(engine_error)?);
            let engine = Engine::start(&options, Arc::clone(&events)).map_err(engine_error)?;
            let interface = engine.interface().to_owned();
            Ok(Self { events, engine: RwLock::new(Some(engine)), interface })
        })
    }

    #[pyo3(signature = (private_key, listen_port, fwmark, bind_device, peers, initiate, alternatives = None))]
    #[expect(clippy::too_many_arguments, reason = "one call has the whole desired state")]
    fn apply(
        &self,
        py: Python<'_>,
        private_key: &[u8],
        listen_port: Option<u16>,
        fwmark: Option<u32>,
        bind_device: Option<String>,
        peers: Vec<PyPeer>,
        initiate: bool,
        alternatives: Option<HashMap<Vec<u8>, Vec<Address>>>,
    ) -> PyResult<()> {
        let private_key = Secret(key(private_key)?);
        let mut alternatives = alternatives.unwrap_or_default();
        let peers = peers.into_iter().map(|p| {
            let others = alternatives.remove(&p.0).unwrap_or_default();
            peer(p, others)
        });
        let peers = peers.collect::<PyResult<_>>()?;
        let config = Config { private_key, listen_port, fwmark, bind_device, peers };
        self.with(py, |engine| engine.apply(&config, initiate).map_err(engine_error))
    }

    fn change_peers(&self, py: Python<'_>, remove: Vec<Vec<u8>>, put: Vec<PyPeer>) -> PyResult<()> {
        let remove = remove.iter().map(|k| key(k)).collect::<PyResult<Vec<_>>>()?;
        let put = put.into_iter().map(|p| peer(p, vec![])).collect::<PyResult<Vec<_>>>()?;
        self.with(py, |engine| engine.change_peers(&remove, &put).map_err(engine_error))
    }

    #[pyo3(signature = (public_key, keys, *, initiate = false))]
    fn set_preshared_keys(
        &self,
        py: Python<'_>,
        public_key: &[u8],
        keys: Vec<(u64, Option<Vec<u8>>)>,
        initiate: bool,
    ) -> PyResult<()> {
        let peer = key(public_key)?;
        let named = |(label, bytes): (_, Option<Vec<u8>>)| {
            let secret = bytes.map(|k| key(&Zeroizing::new(k))).transpose()?.map(Secret);
            Ok((label, secret))
        };
        let keys = keys.into_iter().map(named).collect::<PyResult<Vec<_>>>()?;
        self.with(py, |engine| engine.set_preshared(&peer, keys, initiate).map_err(engine_error))
    }

    fn rebind(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |engine| engine.rebind().map_err(engine_error))
    }

    fn set_mtu(&self, py: Python<'_>, mtu: u16) -> PyResult<()> {
        self.with(py, |engine| engine.set_mtu(mtu).map_err(engine_error))
    }

    #[pyo3(signature = (public_key, targets, ceiling, *, raise_after = None))]
    fn probe_path(
        &self,
        py: Python<'_>,
        public_key: &[u8],
        targets: Vec<(String, String)>,
        ceiling: u16,
        raise_after: Option<f64>,
    ) -> PyResult<()> {
        let targets: Vec<_> =
            targets.iter().map(|(from, to)| Ok((inner(from)?, inner(to)?))).collect::<PyResult<_>>()?;
        if targets.iter().any(|(from, to)| from.is_ipv4() != to.is_ipv4()) {
            return Err(value_error("an echo's two addresses are of one family"));
        }
        let raise = raise_after.map_or(Ok(Probing::RAISE), Duration::try_from_secs_f64).map_err(value_error)?;
        let (peer, wanted) = (key(public_key)?, (!targets.is_empty()).then_some(Probing { targets, ceiling, raise }));
        self.with(py, |engine| engine.probe_path(&peer, wanted).map_err(engine_error))
    }

    fn counters(&self, py: Python<'_>) -> PyResult<Counters> {
        let all = self.with(py, |engine| Ok(engine.counters()))?;
        let (rx_bytes, tx_bytes) = all.peers.iter().fold((0, 0), |(r, t), p| (r + p.rx_bytes, t + p.tx_bytes));
        let peers = all.peers.into_iter().map(|p| {
            let since = p.last_handshake.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
            let counters = PeerCounters {
                public_key: p.public_key.to_vec(),
                endpoint: p.endpoint.map(shown),
                last_handshake_ns: since.map(|d| d.as_nanos()),
                rx_bytes: p.rx_bytes,
                tx_bytes: p.tx_bytes,
            };
            Py::new(py, counters)
        });
        let peers = peers.collect::<PyResult<_>>()?;
        Ok(Counters { rx_bytes, tx_bytes, peers, losses: all.named.into_iter().collect() })
    }

    #[getter]
    fn listen_port(&self, py: Python<'_>) -> PyResult<u16> {
        self.with(py, |engine| Ok(engine.listen_port()))
    }

    #[getter]
    fn luid(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.with(py, |engine| Ok(engine.luid()))
    }

    #[cfg(unix)]
    fn fileno(&self) -> i32 {
        self.events.as_raw_fd()
    }

    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let patience = Duration::try_from_secs_f64(timeout).map_err(value_error)?;
        let patience = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        Ok(py.detach(|| wait([self.events.raised()], patience) == [true]))
    }

    fn next_events(&self, py: Python<'_>) -> Vec<PyEvent> {
        py.detach(|| self.events.take().into_iter().map(PyEvent::from).collect())
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.engine.write().take()));
    }
}

impl PyEngine {
    fn with<T: Send>(&self, py: Python<'_>, ask: impl FnOnce(&Engine) -> PyResult<T> + Send) -> PyResult<T> {
        py.detach(|| match &*self.engine.read() {
            Some(engine) => ask(engine),
            None => Err(EngineError::new_err("the engine is closed")),
        })
    }
}

fn peer(
    (public_key, endpoint, allowed_ips, preshared_key, keepalive): PyPeer,
    alternatives: Vec<Address>,
) -> PyResult<PeerConfig> {
    let endpoint = endpoint.map(address).transpose()?;
    let allowed_ips = allowed_ips.iter().map(|p| p.parse()).collect::<Result<_, String>>();
    Ok(PeerConfig {
        public_key: key(&public_key)?,
        endpoint,
        alternatives: alternatives.into_iter().map(address).collect::<PyResult<_>>()?,
        allowed_ips: allowed_ips.map_err(value_error)?,
        preshared_key: preshared_key.map(|k| key(&Zeroizing::new(k))).transpose()?.map(Secret),
        keepalive,
    })
}

/// Windows' drivers have names; which device it is can also be an object.
#[derive(FromPyObject)]
enum Device {
    Memory(PyMemoryTun),
    Named(String),
}

fn kind(device: Option<Device>, address: Option<&str>) -> PyResult<Kind> {
    #[cfg(not(windows))]
    let _ = address;
    match device {
        None => Ok(Kind::Usual),
        Some(Device::Memory(tun)) => Ok(Kind::Memory(tun.0)),
        #[cfg(windows)]
        Some(Device::Named(name)) if name == "wintun" => Ok(Kind::Usual),
        #[cfg(windows)]
        Some(Device::Named(name)) if name == "tap" => Ok(Kind::Tap(address.map(interface_address).transpose()?)),
        Some(Device::Named(name)) => Err(value_error(format!("there is no device {name:?} here"))),
    }
}

#[cfg(windows)]
fn interface_address(text: &str) -> PyResult<(std::net::Ipv4Addr, u8)> {
    let parts = text.split_once('/').and_then(|(ip, prefix)| Some((ip.parse().ok()?, prefix.parse().ok()?)));
    parts.filter(|(_, prefix)| *prefix <= 32).ok_or_else(|| value_error(format!("{text:?} is no IPv4 address/prefix")))
}

fn inner(ip: &str) -> PyResult<IpAddr> {
    ip.parse().map_err(|_| value_error(format!("{ip:?} is not an IP address")))
}

fn address((ip, port): Address) -> PyResult<SocketAddr> {
    parse_ip(&ip, port).ok_or_else(|| value_error(format!("{ip:?} is not an IP address")))
}

fn shown(endpoint: SocketAddr) -> (String, u16) {
    let ip = match endpoint {
        SocketAddr::V6(a) if a.scope_id() != 0 => SocketAddrV6::new(*a.ip(), 0, 0, a.scope_id()).to_string(),
        a => return (a.ip().to_string(), a.port()),
    };
    (ip.trim_start_matches('[').trim_end_matches("]:0").to_owned(), endpoint.port())
}

fn key(bytes: &[u8]) -> PyResult<[u8; 32]> {
    bytes.try_into().map_err(|_| value_error("a key has 32 bytes"))
}

fn value_error(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn engine_error(error: impl ToString) -> PyErr {
    EngineError::new_err(error.to_string())
}

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyEngine>()?;
    module.add_class::<PyEvent>()?;
    module.add_class::<PyMemoryTun>()?;
    module.add_class::<PeerCounters>()?;
    module.add_class::<Counters>()?;
    module.add("EngineError", module.py().get_type::<EngineError>())
}
