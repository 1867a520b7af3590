use super::*;
use proptest::prelude::*;
use std::net::UdpSocket;

const FOUR: ([u8; 4], [u8; 4]) = ([10, 0, 0, 1], [10, 0, 0, 2]);

fn ends(v6: bool) -> (SocketAddr, SocketAddr) {
    let (from, to) = if v6 { ([0xfd; 16].into(), [0xfe; 16].into()) } else { (FOUR.0.into(), FOUR.1.into()) };
    (SocketAddr::new(from, 51820), SocketAddr::new(to, 9))
}

/// What a host makes of the pieces, in any order: RFC 791 3.2, RFC 8200 4.5.
fn put_together(pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut whole = vec![];
    let mut parts: Vec<_> = pieces.iter().map(|piece| parse(piece)).collect();
    parts.sort_by_key(|(at, ..)| *at);
    let last = parts.len() - 1;
    for (i, (at, more, part)) in parts.into_iter().enumerate() {
        assert_eq!((at, more), (whole.len(), i < last));
        whole.extend(part);
    }
    whole
}

fn parse(piece: &[u8]) -> (usize, bool, &[u8]) {
    let be = |i: usize| u16::from_be_bytes([piece[i], piece[i + 1]]);
    if piece[0] == 0x45 {
        assert_eq!((usize::from(be(2)), piece[9]), (piece.len(), 17));
        (usize::from(be(6) & 0x1fff) * 8, be(6) & 0x2000 != 0, &piece[20..])
    } else {
        assert_eq!((usize::from(be(4)), piece[6], piece[40]), (piece.len() - 40, 44, 17));
        (usize::from(be(42) & !7), be(42) & 1 != 0, &piece[48..])
    }
}

proptest! {
    #[test]
    fn together_they_are_the_datagram_again(v6: bool, datagram: Vec<u8>, id: u32, mtu in 64u16..1500) {
        let (from, to) = ends(v6);
        let pieces = cut(from, to, &datagram, mtu, id).unwrap();
        prop_assert!(pieces.iter().all(|piece| piece.len() <= mtu.into()));
        let whole = put_together(&pieces);
        prop_assert_eq!(&whole[8..], &datagram[..]);
        prop_assert_eq!(&whole[..6], &[0xca, 0x6c, 0, 9, (whole.len() >> 8) as u8, whole.len() as u8]);
        let (from, to): (Vec<u8>, Vec<u8>) = match (from.ip(), to.ip()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.octets().into(), b.octets().into()),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.octets().into(), b.octets().into()),
            _ => unreachable!(),
        };
        prop_assert_eq!(internet_checksum(&[&from, &to, &[0, 17, whole[4], whole[5]], &whole]), [0, 0]);
    }
}

#[test]
fn what_cannot_be_said_in_ip_is_not_sent() {
    let (from, to) = ends(false);
    assert!(cut(from, to, &vec![0; 65_507], 1280, 1).is_none());
    assert!(cut(from, to, &[0; 9], 20, 1).is_none());
    assert!(cut(from, ends(true).1, &[0; 9], 1280, 1).is_none());
}

#[test]
fn only_what_is_longer_than_its_path_is_wanted() {
    let pieces = Pieces::open(&Binding::default(), 9, 1);
    for v6 in [false, true] {
        let to = ends(v6).1;
        let most = if v6 { 1300 - 48 } else { 1300 - 28 };
        assert!(!pieces.wants(&to, 9000));
        pieces.set(to, Some(1300));
        let has = pieces.socket(&to).is_some();
        assert_eq!((pieces.wants(&to, most), pieces.wants(&to, most + 1)), (false, has));
        let mut other = to;
        other.set_port(10);
        assert!(!pieces.wants(&other, 9000), "somebody else behind the same address");
        pieces.set(to, None);
        assert!(!pieces.wants(&to, 9000));
    }
    let six = ends(true).1;
    pieces.set(six, Some(600));
    assert!(!pieces.wants(&six, 1280 - 48), "IPv6 has its least");
}

#[test]
fn narrow_paths_without_number_take_bounded_memory() {
    let pieces = Pieces::open(&Binding::default(), 9, 1);
    for n in 0..CAPACITY as u32 + 9 {
        pieces.set((std::net::Ipv4Addr::from(n), 1).into(), Some(1280));
    }
    assert!(pieces.paths.lock().len() <= CAPACITY);
}

#[test]
fn a_host_puts_them_together() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(there) = UdpSocket::bind(at) else { continue };
        let to = there.local_addr().unwrap();
        let pieces = Pieces::open(&Binding::default(), 4711, 1);
        // Without the right to open raw sockets there is nothing to see here.
        if pieces.socket(&to).is_none() {
            continue;
        }
        pieces.set(to, Some(1280));
        let sent: Vec<u8> = (0..4000).map(|i| i as u8).collect();
        pieces.send(to, &sent, || Some(to.ip())).unwrap();
        there.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut buf = [0; 9000];
        let (n, from) = there.recv_from(&mut buf).unwrap();
        assert_eq!((&buf[..n], from.port()), (&sent[..], 4711));
        assert!(pieces.send(SocketAddr::new(to.ip(), 1), &sent, || None).is_err());
    }
}
