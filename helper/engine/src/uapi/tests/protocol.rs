//! Bytes to requests and states to bytes.
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnetwork::IpNetwork;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::request::{MAX_LINE, MAX_REQUEST};
use super::super::*;

const KEY: &str = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";

fn scope(name: &str) -> Option<u32> {
    (name == "eth0").then_some(7)
}

/// All requests in `bytes`, fed `step` bytes at a time.
fn decode(bytes: &[u8], step: usize) -> Vec<Result<Request, Malformed>> {
    let mut decoder = Decoder::new(scope);
    let mut requests = vec![];
    for part in bytes.chunks(step) {
        decoder.feed(part);
        while let Some(request) = decoder.next_request() {
            requests.push(request);
            if requests.last() == Some(&Err(Malformed::TooLong)) {
                return requests;
            }
        }
    }
    requests
}

fn set(lines: &str) -> Result<Request, Malformed> {
    let mut requests = decode(format!("set=1\n{lines}\n").as_bytes(), usize::MAX);
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

fn peer(line: &str) -> PeerChange {
    match set(&format!("public_key={KEY}\n{line}\n")) {
        Ok(Request::Set(mut set)) => set.peers.remove(0),
        other => panic!("{line}: {other:?}"),
    }
}

/// The example of the protocol's own page.
#[test]
fn documented_example() {
    let text = "private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n\
        fwmark=0\nlisten_port=12912\nreplace_peers=true\n\
        public_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33\n\
        preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52\n\
        replace_allowed_ips=true\nallowed_ip=192.168.4.4/32\nendpoint=[abcd:23::33%2]:51820\n\
        public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376\nremove=true\n";
    let Ok(Request::Set(set)) = set(text) else { panic!() };
    assert_eq!((set.fwmark, set.listen_port, set.replace_peers), (Some(0), Some(12912), true));
    assert_eq!(set.private_key.unwrap().unwrap().bytes()[..2], [0xe8, 0x4b]);
    let [first, second] = &set.peers[..] else { panic!() };
    assert_eq!(first.public_key[..2], [0xb8, 0x59]);
    assert_eq!(first.preshared_key.as_ref().unwrap().as_ref().unwrap().bytes()[31], 0x52);
    assert_eq!(first.endpoint, Some("[abcd:23::33%2]:51820".parse().unwrap()));
    assert!(first.replace_allowed_ips && !first.remove);
    assert_eq!(first.allowed_ips, [(true, "192.168.4.4/32".parse().unwrap())]);
    assert!(second.remove);
}

/// Every key of a peer, and the values with a meaning of their own.
#[test]
fn peer_keys() {
    assert!(peer("update_only=true").update_only);
    assert_eq!(peer("persistent_keepalive_interval=0").keepalive, Some(0));
    assert_eq!(peer("persistent_keepalive_interval=65535").keepalive, Some(65535));
    assert_eq!(peer("protocol_version=1").keepalive, None);
    assert_eq!(peer(&format!("preshared_key={}", "0".repeat(64))).preshared_key, Some(None));
    assert_eq!(peer("endpoint=1.2.3.4:5").endpoint, Some(SocketAddr::from(([1, 2, 3, 4], 5))));
    assert_eq!(peer("endpoint=[fe80::1%eth0]:5").endpoint, Some("[fe80::1%7]:5".parse().unwrap()));
    let nets = peer("allowed_ip=10.1.2.3/8\nallowed_ip=-fd00::1/64\nallowed_ip=0.0.0.0/0").allowed_ips;
    let expected = [(true, "10.0.0.0/8"), (false, "fd00::/64"), (true, "0.0.0.0/0")];
    assert_eq!(nets, expected.map(|(add, net)| (add, net.parse().unwrap())));
    let Ok(Request::Set(device)) = set(&format!("private_key={}\n", "0".repeat(64))) else { panic!() };
    assert_eq!(device.private_key, Some(None));
}

/// One wrong line refuses the whole request, wherever it stands.
#[test]
fn malformed() {
    let device = [
        "x",
        "=",
        "listen_port",
        "listen_port=",
        "listen_port=-1",
        "listen_port=+1",
        "listen_port=65536",
        "listen_port=1 ",
        " listen_port=1",
        "Listen_port=1",
        "listen_port=1\r",
        "fwmark=0x1",
        "fwmark=4294967296",
        "private_key=",
        "private_key=00",
        "replace_peers=false",
        "replace_peers=1",
        "replace_peers=",
        "unknown=1",
        "errno=0",
        "get=1",
        "set=1",
        "endpoint=1.2.3.4:5",
        "allowed_ip=10.0.0.0/8",
        "remove=true",
        "public_key=",
        "public_key=zz4b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a",
        "fwmark=\u{661}",
        "public_key=+84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a",
    ];
    let in_peer = [
        "listen_port=1",
        "fwmark=1",
        "replace_peers=true",
        "private_key=00",
        "endpoint=",
        "endpoint=1.2.3.4",
        "endpoint=1.2.3.4:",
        "endpoint=1.2.3.4:65536",
        "endpoint=1.2.3.4:+5",
        "endpoint=host:5",
        "endpoint=::1:5",
        "endpoint=[::1]",
        "endpoint=[::1:5",
        "endpoint=[1.2.3.4]:5",
        "endpoint=[::1%]:5",
        "endpoint=[::1%eth9]:5",
        "endpoint=01.2.3.4:5",
        "allowed_ip=",
        "allowed_ip=10.0.0.0",
        "allowed_ip=10.0.0.0/33",
        "allowed_ip=::/129",
        "allowed_ip=10.0.0.0/255.0.0.0",
        "allowed_ip=--10.0.0.0/8",
        "allowed_ip=+10.0.0.0/8",
        "allowed_ip=10.0.0.0/",
        "allowed_ip=10.0.0.0/+8",
        "allowed_ip=host/8",
        "remove=false",
        "update_only=yes",
        "replace_allowed_ips=0",
        "persistent_keepalive_interval=off",
        "persistent_keepalive_interval=65536",
        "protocol_version=2",
        "preshared_key=0",
        "last_handshake_time_sec=1",
        "rx_bytes=1",
    ];
    for line in device {
        assert_eq!(set(&format!("{line}\nlisten_port=1\n")), Err(Malformed::Request), "{line:?}");
    }
    for line in in_peer {
        let text = format!("listen_port=1\npublic_key={KEY}\nallowed_ip=10.0.0.0/8\n{line}\n");
        assert_eq!(set(&text), Err(Malformed::Request), "{line:?}");
    }
    for text in ["\n", "get=2\n\n", "get=1\nx=1\n\n", "get\n\n", "GET=1\n\n", "set=1 \n\n", "\u{fe}get=1\n\n"] {
        assert_eq!(decode(text.as_bytes(), usize::MAX), [Err(Malformed::Request)], "{text:?}");
    }
    assert_eq!(decode(b"set=1\nlisten_port=\xff\n\n", usize::MAX), [Err(Malformed::Request)]);
}

/// Requests follow each other, whole or byte by byte; a malformed one doesn't spoil the next.
#[test]
fn stream_of_requests() {
    let stream = b"get=1\n\nset=1\nlisten_port=5\n\nset=1\nnonsense\nlisten_port=6\n\nget=1\n\nset=1\nlisten_port=7\n";
    let five = SetRequest { listen_port: Some(5), ..SetRequest::default() };
    let expected = [Ok(Request::Get), Ok(Request::Set(five)), Err(Malformed::Request), Ok(Request::Get)];
    for step in [1, 2, 7, 1000] {
        assert_eq!(decode(stream, step), expected, "the last one isn't complete");
    }
}

/// Lines and requests have an end.
#[test]
fn bounded() {
    let long = "x".repeat(MAX_LINE);
    assert_eq!(decode(format!("{long}\n\n").as_bytes(), 4096), [Err(Malformed::Request)]);
    assert_eq!(decode(format!("{long}x\n\n").as_bytes(), 4096), [Err(Malformed::TooLong)]);
    assert_eq!(decode(format!("{long}x").as_bytes(), 4096), [Err(Malformed::TooLong)]);
    let endless = format!("set=1\n{}", "fwmark=1\n".repeat(MAX_REQUEST / 9 + 1));
    assert_eq!(decode(endless.as_bytes(), 4096), [Err(Malformed::TooLong)]);
}

/// No secret in what a log might print.
#[test]
fn secrets_stay_out_of_debug() {
    let state = DeviceState { private_key: Some(Secret::new([0xab; 32])), ..DeviceState::default() };
    let text = format!("{state:?}");
    assert!(text.contains("Secret(…)") && !text.contains("171") && !text.contains("ab, "));
    assert!(format_state(&state).contains(&"ab".repeat(32)));
}

#[test]
fn error_numbers() {
    assert_eq!(errno(0), "errno=0\n\n");
    assert_eq!(errno(libc::EINVAL), "errno=-22\n\n");
    assert_eq!(errno(-libc::EINVAL), "errno=-22\n\n");
}

prop_compose! {
    fn network()(address: IpAddr, length in 0u8..=128) -> IpNetwork {
        let length = if address.is_ipv4() { length % 33 } else { length };
        let net = IpNetwork::new(address, length).unwrap();
        IpNetwork::new(net.network(), length).unwrap()
    }
}

fn key() -> impl Strategy<Value = Option<Secret>> {
    any::<Option<[u8; 32]>>().prop_map(|key| key.filter(|key| *key != [0; 32]).map(Secret::new))
}

fn endpoint() -> impl Strategy<Value = SocketAddr> {
    any::<SocketAddr>().prop_map(|endpoint| match endpoint {
        // The flow label isn't part of an endpoint's text.
        SocketAddr::V6(v6) => SocketAddr::V6(std::net::SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
        v4 => v4,
    })
}

prop_compose! {
    fn peer_state()(
        public_key: [u8; 32], preshared_key in key(), endpoint in proptest::option::of(endpoint()),
        last_handshake: Option<(u32, u16)>, tx_bytes: u64, rx_bytes: u64, keepalive: u16,
        allowed_ips in vec(network(), 0..4),
    ) -> PeerState {
        let last_handshake = last_handshake.map(|(s, n)| Duration::new(s.into(), n.into()));
        PeerState { public_key, preshared_key, endpoint, last_handshake, tx_bytes, rx_bytes, keepalive, allowed_ips }
    }
}

prop_compose! {
    fn state()(private_key in key(), listen_port: u16, fwmark: u32, peers in vec(peer_state(), 0..5)) -> DeviceState {
        DeviceState { private_key, listen_port, fwmark, peers }
    }
}

/// What a `set` must say to bring a fresh device to `state`.
fn as_set(state: &DeviceState) -> SetRequest {
    let peers = state.peers.iter().map(|peer| PeerChange {
        public_key: peer.public_key,
        preshared_key: Some(peer.preshared_key.clone()),
        endpoint: peer.endpoint,
        keepalive: Some(peer.keepalive),
        allowed_ips: peer.allowed_ips.iter().map(|net| (true, *net)).collect(),
        ..PeerChange::default()
    });
    SetRequest {
        private_key: state.private_key.clone().map(Some),
        listen_port: Some(state.listen_port).filter(|port| *port != 0),
        fwmark: Some(state.fwmark).filter(|mark| *mark != 0),
        replace_peers: false,
        peers: peers.collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What `get` prints is, but for the counters, a `set` of the same state.
    #[test]
    fn get_is_read_back(state in state(), step in 1usize..200) {
        let printed = format_state(&state);
        let counters = ["last_handshake_time", "tx_bytes", "rx_bytes"];
        let mut text = String::from("set=1\n");
        for line in printed.lines().filter(|line| !counters.iter().any(|name| line.starts_with(name))) {
            writeln!(text, "{line}").unwrap();
        }
        text.push('\n');
        prop_assert_eq!(decode(text.as_bytes(), step), [Ok(Request::Set(as_set(&state)))]);
        for peer in &state.peers {
            let line = format!("\nrx_bytes={}\n", peer.rx_bytes);
            prop_assert!(printed.contains(&line));
        }
    }

    /// Any bytes are a request, malformed, or not complete; never a panic.
    #[test]
    fn arbitrary(bytes in vec(any::<u8>(), 0..600), step in 1usize..100) {
        decode(&bytes, step);
    }

    /// Nor lines of the protocol with a few bytes changed, and their meaning doesn't depend on how they arrive.
    #[test]
    fn nearly_right(state in state(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), step in 1usize..100) {
        let mut bytes = format!("set=1\n{}\nget=1\n\n", *format_state(&state)).into_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        prop_assert_eq!(decode(&bytes, step), decode(&bytes, 4096));
    }
}
