//! Examples for `split`.
use super::packets::{Fields, valid};
use super::{cut, split};
use crate::offload::SplitError;

type Change = fn(&mut Vec<u8>);

const TCP4: u8 = 1;
const TCP6: u8 = 4;
const UDP: u8 = 5;

fn refused(read: &[u8]) -> SplitError {
    split(&mut read.to_vec(), |_, _| panic!("emitted before it was refused")).unwrap_err()
}

fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 7) as u8).collect()
}

/// A stream is cut into equal parts, each a whole packet with sequence, id and checksums of its own.
#[test]
fn tcp_v4() {
    let whole = Fields { payload: bytes(2500), flags: 0x10 | 0x08 | 0x01 | 0x80, id: 0xffff, ..Fields::default() };
    let packets = cut(&whole.oversized(TCP4, 1000));
    let expected: Vec<_> = [(0usize, 1000, 0x10 | 0x80), (1000, 1000, 0x10), (2000, 500, 0x10 | 0x09)]
        .into_iter()
        .enumerate()
        .map(|(i, (at, n, flags))| {
            let payload = whole.payload[at..at + n].to_vec();
            let id = 0xffffu16.wrapping_add(i as u16);
            Fields { payload, flags, id, sequence: 1000 + at as u32, ..whole.clone() }.build()
        })
        .collect();
    assert_eq!(packets, expected);
}

/// The same over IPv6, with TCP options, wrapping sequence numbers and the ECN bit in the GSO type.
#[test]
fn tcp_v6() {
    let options = vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
    let whole = Fields { v6: true, options, sequence: u32::MAX - 5, payload: bytes(30), ..Fields::default() };
    let packets = cut(&whole.oversized(TCP6 | 0x80, 10));
    assert_eq!(packets.len(), 3);
    let mut at = Fields { payload: vec![], ..whole.clone() };
    for (packet, part) in packets.iter().zip(whole.payload.chunks(10)) {
        at = at.then(part);
        assert_eq!(*packet, at.build());
    }
}

/// Datagrams get their own length and never a checksum of zero.
#[test]
fn udp() {
    for v6 in [false, true] {
        let whole = Fields { udp: true, v6, payload: bytes(70_000)[..60_001].to_vec(), ..Fields::default() };
        let packets = cut(&whole.oversized(UDP, 2));
        assert_eq!(packets.len(), 30_001);
        assert_eq!(packets.last().unwrap().len(), whole.header_len() + 1);
        assert!(packets.iter().all(|packet| valid(packet)));
    }
    // Payload chosen so that the sum comes out as zero.
    let mut whole = Fields { udp: true, payload: vec![0, 0, 9, 9], ..Fields::default() };
    let probe = cut(&whole.oversized(UDP, 2)).remove(0);
    whole.payload[..2].copy_from_slice(&probe[26..28]);
    assert_eq!(cut(&whole.oversized(UDP, 2))[0][26..28], [0xff, 0xff]);
}

/// IPv4 options and IPv6 extension headers stay in front of every part.
#[test]
fn options_in_front() {
    let options = vec![0x94, 4, 0, 0]; // router alert
    let v4 = Fields { extra: options, payload: bytes(25), ..Fields::default() };
    let hop = vec![43, 0, 5, 2, 0, 0, 1, 0];
    let routing = vec![60, 0, 4, 0, 0, 0, 0, 0];
    let destination = vec![6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let extra = [hop, routing, destination].concat();
    let v6 = Fields { v6: true, extra, payload: bytes(25), ..Fields::default() };
    for (whole, gso) in [(v4, TCP4), (v6, TCP6)] {
        let mut at = Fields { payload: vec![], id: whole.id.wrapping_sub(1), ..whole.clone() };
        for (packet, part) in cut(&whole.oversized(gso, 10)).iter().zip(whole.payload.chunks(10)) {
            at = at.then(part);
            assert_eq!(*packet, at.build());
        }
    }
}

/// A packet of its own gets its checksum completed, or is left as it is.
#[test]
fn single() {
    let fields = Fields { payload: bytes(99), ..Fields::default() };
    assert_eq!(cut(&fields.oversized(0, 0)), [fields.build()]);
    let mut datagram = Fields { udp: true, payload: vec![0, 0], ..Fields::default() };
    datagram.payload = datagram.build()[26..28].to_vec();
    assert_eq!(cut(&datagram.oversized(0, 0))[0][26..28], [0xff, 0xff], "zero would mean none");
    let untouched = [vec![0; 10], fields.build()].concat();
    assert_eq!(cut(&untouched), [fields.build()]);
    let padded = [untouched, vec![1; 7]].concat();
    assert_eq!(cut(&padded), [fields.build()]);
}

/// Every contradiction is refused before anything is emitted.
#[test]
fn inconsistent() {
    let changes: &[(&str, Change, SplitError)] = &[
        ("nothing", |r| r.clear(), SplitError::Short),
        ("no packet", |r| r.truncate(10), SplitError::Short),
        ("cut header", |r| r.truncate(29), SplitError::Short),
        ("cut packet", |r| r.truncate(60), SplitError::Short),
        (
            "IPv4 length of 19",
            |r| {
                r[1] = 0;
                r[13] = 19
            },
            SplitError::Short,
        ),
        ("not IP", |r| r[10] = 0x50, SplitError::Short),
        ("UFO", |r| r[1] = 3, SplitError::UnknownGso),
        ("unknown GSO", |r| r[1] = 0x20, SplitError::UnknownGso),
        ("other family", |r| r[1] = TCP6, SplitError::Headers),
        ("other protocol", |r| r[1] = UDP, SplitError::Headers),
        ("no checksum wanted", |r| r[0] = 0, SplitError::Checksum),
        ("segment of 0", |r| r[4..6].fill(0), SplitError::Headers),
        ("checksum start", |r| r[6] += 1, SplitError::Checksum),
        ("checksum offset", |r| r[8] += 1, SplitError::Checksum),
        ("IPv4 header of 16", |r| r[10] = 0x44, SplitError::Headers),
        ("IPv4 header too long", |r| r[10] = 0x4f, SplitError::Headers),
        ("fragment", |r| r[17] = 1, SplitError::Headers),
        ("TCP header of 16", |r| r[42] = 0x40, SplitError::Headers),
        ("TCP header past the end", |r| r[42] = 0xf0, SplitError::Headers),
        (
            "no payload",
            |r| {
                r.truncate(50);
                r[13] = 40
            },
            SplitError::Headers,
        ),
        ("trailing bytes", |r| r.push(0), SplitError::Headers),
        (
            "single, start past the end",
            |r| {
                r[1] = 0;
                r[6] = 255
            },
            SplitError::Checksum,
        ),
        (
            "single, start in the IP header",
            |r| {
                r[1] = 0;
                r[6] = 12
            },
            SplitError::Checksum,
        ),
        (
            "single, offset past the end",
            |r| {
                r[1] = 0;
                r[9] = 255
            },
            SplitError::Checksum,
        ),
    ];
    let read = Fields { payload: bytes(30), ..Fields::default() }.oversized(TCP4, 10);
    assert_eq!(cut(&read).len(), 3);
    for (what, change, error) in changes {
        let mut read = read.clone();
        change(&mut read);
        assert_eq!(refused(&read), *error, "{what}");
    }
    let chain = Fields {
        v6: true,
        extra: [0, 31].into_iter().chain([0; 254]).collect(),
        payload: bytes(9),
        ..Fields::default()
    };
    assert_eq!(refused(&chain.oversized(TCP6, 5)), SplitError::Headers, "an endless chain of extension headers");
}
