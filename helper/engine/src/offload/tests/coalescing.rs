//! Examples for the coalescer.
use super::packets::{Fields, fix};
use super::{Coalescer, cut, join};

type Change = fn(&mut Fields);

fn data(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 5 + i / 256) as u8).collect()
}

/// `count` packets of one flow, `size` bytes each.
fn stream(start: &Fields, count: usize, size: usize) -> Vec<Fields> {
    let all = data(count * size);
    let mut at = Fields { id: start.id.wrapping_sub(1), payload: vec![], ..start.clone() };
    all.chunks(size)
        .map(|part| {
            at = at.then(part);
            at.clone()
        })
        .collect()
}

fn build(fields: &[Fields]) -> Vec<Vec<u8>> {
    fields.iter().map(Fields::build).collect()
}

/// How many packets each write holds.
fn sizes(packets: &[Vec<u8>]) -> Vec<usize> {
    join(&mut Coalescer::new(), packets).iter().map(|write| cut(write).len()).collect()
}

/// A stream becomes one write that the kernel would cut into the same packets.
#[test]
fn one_stream() {
    for v6 in [false, true] {
        for udp in [false, true] {
            let packets = build(&stream(&Fields { v6, udp, ..Fields::default() }, 40, 1380));
            let writes = join(&mut Coalescer::new(), &packets);
            assert_eq!(writes.len(), 1);
            let gso = match (udp, v6) {
                (true, _) => 5,
                (_, true) => 4,
                _ => 1,
            };
            let (l4, field) = (if v6 { 40u16 } else { 20 }, if udp { 6u16 } else { 16 });
            let headers = l4 + if udp { 8 } else { 20 };
            let numbers = [headers, 1380, l4, field].map(u16::to_ne_bytes).concat();
            assert_eq!(writes[0][..10], [vec![1, gso], numbers].concat());
            assert_eq!(cut(&writes[0]), packets);
        }
    }
}

/// What isn't plain data goes alone, and what follows it in its flow isn't put before it.
#[test]
fn left_alone() {
    let cases: &[(&str, Change)] = &[
        ("SYN", |f| f.flags |= 0x02),
        ("FIN", |f| f.flags |= 0x01),
        ("RST", |f| f.flags |= 0x04),
        ("URG", |f| f.flags |= 0x20),
        ("ECE", |f| f.flags |= 0x40),
        ("CWR", |f| f.flags |= 0x80),
        ("accurate ECN", |f| f.reserved = 1),
        ("no ACK", |f| f.flags = 0),
        ("pure ACK", |f| f.payload.clear()),
        ("IP options", |f| f.extra = vec![1, 1, 1, 0]),
        ("extension header", |f| {
            f.v6 = true;
            f.extra = vec![6, 0, 1, 4, 0, 0, 0, 0]
        }),
    ];
    for (what, change) in cases {
        let mut odd = Fields { payload: data(100), ..Fields::default() };
        change(&mut odd);
        let mut fields = stream(&Fields { v6: odd.v6, ..Fields::default() }, 5, 100);
        (odd.sequence, odd.id) = (fields[2].sequence, fields[2].id);
        fields[2] = odd;
        let packets = build(&fields);
        let writes = join(&mut Coalescer::new(), &packets);
        let back: Vec<_> = writes.iter().flat_map(|write| cut(write)).collect();
        assert_eq!(back, packets, "{what}");
        assert_eq!(sizes(&packets), [2, 1, 2], "{what}");
    }
}

/// Two packets whose headers differ, or that don't follow each other, stay two.
#[test]
fn different() {
    let cases: &[(&str, Change)] = &[
        ("source", |f| f.hosts[0] = 9),
        ("destination", |f| f.hosts[1] = 9),
        ("source port", |f| f.ports[0] = 9),
        ("destination port", |f| f.ports[1] = 9),
        ("ECN mark", |f| f.class |= 3),
        ("DSCP", |f| f.class |= 0x20),
        ("TTL", |f| f.hops -= 1),
        ("DF", |f| f.may_fragment = true),
        ("gap", |f| f.sequence += 1),
        ("again", |f| f.sequence -= 100),
        ("acknowledgement", |f| f.acknowledgement += 1),
        ("window", |f| f.window += 1),
        ("urgent pointer", |f| f.urgent = 1),
        ("fewer TCP options", |f| f.options = vec![1, 1, 1, 0]),
        ("another time stamp", |f| f.options[5] = 9),
        ("larger", |f| f.payload.push(0)),
    ];
    for v6 in [false, true] {
        for (what, change) in cases {
            let options = vec![8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1];
            let mut fields = stream(&Fields { v6, options, ..Fields::default() }, 2, 100);
            assert_eq!(sizes(&build(&fields)), [2], "{what}");
            change(&mut fields[1]);
            let expected = if v6 && *what == "DF" { &[2][..] } else { &[1, 1] };
            assert_eq!(sizes(&build(&fields)), expected, "{what}");
        }
    }
}

/// Where IPv4 may fragment, ids that jump keep packets apart; with DF they don't matter.
#[test]
fn ids() {
    for (may_fragment, expected) in [(true, &[1, 1][..]), (false, &[2])] {
        let mut fields = stream(&Fields { may_fragment, ..Fields::default() }, 2, 100);
        fields[1].id += 5;
        assert_eq!(sizes(&build(&fields)), expected);
    }
}

/// PSH and a smaller packet each end a write; PSH stays on the last packet of it.
#[test]
fn ends() {
    let mut fields = stream(&Fields::default(), 6, 100);
    fields[2].flags |= 0x08;
    fields[4].payload.truncate(60);
    fields[5].sequence -= 40;
    let packets = build(&fields);
    assert_eq!(sizes(&packets), [3, 2, 1]);
    let back: Vec<_> = join(&mut Coalescer::new(), &packets).iter().flat_map(|write| cut(write)).collect();
    assert_eq!(back, packets);
}

/// Fragments have no ports: they end every run between their two hosts, and no other.
#[test]
fn fragments() {
    let ours = stream(&Fields::default(), 4, 100);
    let theirs = stream(&Fields { hosts: [3, 4], ..Fields::default() }, 4, 100);
    let mut fragment = Fields { payload: data(100), ..Fields::default() }.build();
    fragment[7] = 20;
    fix(&mut fragment, 20, false);
    let [a, b] = [&ours, &theirs].map(|fields| build(fields));
    let packets = [&a[..2], &b[..2], &[fragment], &a[2..], &b[2..]].concat();
    let writes = join(&mut Coalescer::new(), &packets);
    assert_eq!(writes.len(), 4);
    assert_eq!(cut(&writes[0]), a[..2]);
    assert_eq!(cut(&writes[1]), b);
    assert_eq!(cut(&writes[3]), a[2..]);
}

/// A damaged packet is never given a fresh checksum: it stays alone, as it came.
#[test]
fn damaged() {
    for v6 in [false, true] {
        for udp in [false, true] {
            for at in 0..3 {
                let mut packets = build(&stream(&Fields { v6, udp, ..Fields::default() }, 3, 100));
                *packets[at].last_mut().unwrap() ^= 1;
                let writes = join(&mut Coalescer::new(), &packets);
                let alone = [vec![0; 10], packets[at].clone()].concat();
                assert!(writes.contains(&alone));
                assert_eq!(writes.len(), if at == 1 { 3 } else { 2 });
            }
        }
    }
    let mut packets = build(&stream(&Fields { udp: true, ..Fields::default() }, 2, 100));
    packets[1][26..28].fill(0);
    assert_eq!(join(&mut Coalescer::new(), &packets).len(), 2, "UDP without a checksum");
    // Payload chosen so that a checksum of zero would be right.
    let mut fields = stream(&Fields { udp: true, ..Fields::default() }, 2, 100);
    fields[1].payload[..2].fill(0);
    let sum = fields[1].build()[26..28].to_vec();
    fields[1].payload[..2].copy_from_slice(&sum);
    let mut packets = build(&fields);
    assert_eq!(packets[1][26..28], [0xff, 0xff]);
    assert_eq!(join(&mut Coalescer::new(), &packets).len(), 1);
    packets[1][26..28].fill(0);
    assert_eq!(join(&mut Coalescer::new(), &packets).len(), 2, "nor one whose sum would come out right");
    let mut packets = build(&stream(&Fields { udp: true, ..Fields::default() }, 2, 100));
    packets[1][25] -= 1;
    fix(&mut packets[1], 20, true);
    assert_eq!(join(&mut Coalescer::new(), &packets).len(), 2, "UDP length");
    let mut packets = build(&stream(&Fields::default(), 2, 100));
    packets[1][10] ^= 1;
    assert_eq!(join(&mut Coalescer::new(), &packets).len(), 2, "IPv4 header checksum");
}

/// A write is at most 65,535 bytes and 64 packets.
#[test]
fn limits() {
    assert_eq!(sizes(&build(&stream(&Fields::default(), 100, 1380))), [47, 47, 6]);
    assert_eq!(sizes(&build(&stream(&Fields::default(), 150, 10))), [64, 64, 22]);
    let huge = build(&stream(&Fields { v6: true, ..Fields::default() }, 3, 32_737));
    assert_eq!(sizes(&huge), [2, 1]);
}

/// More flows than are looked at together are still all passed on, in the order of each.
#[test]
fn many_flows() {
    let flows: Vec<_> =
        (0..100).map(|i| build(&stream(&Fields { ports: [i, 1], ..Fields::default() }, 3, 50))).collect();
    let packets: Vec<_> = (0..3).flat_map(|at| flows.iter().map(move |flow| flow[at].clone())).collect();
    let back: Vec<_> = join(&mut Coalescer::new(), &packets).iter().flat_map(|write| cut(write)).collect();
    for (port, flow) in flows.iter().enumerate() {
        let ours: Vec<_> = back.iter().filter(|p| p[20..22] == (port as u16).to_be_bytes()).cloned().collect();
        assert_eq!(ours, *flow);
    }
}

/// A kernel without USO gets UDP packet by packet.
#[test]
fn without_udp() {
    let packets = build(&stream(&Fields { udp: true, ..Fields::default() }, 3, 100));
    let mut coalescer = Coalescer::new();
    coalescer.set_udp(false);
    assert_eq!(join(&mut coalescer, &packets).len(), 3);
}

/// What isn't IP, or not as long as it says, goes through as it is.
#[test]
fn foreign() {
    let mut short = Fields { payload: data(100), ..Fields::default() }.build();
    short.pop();
    let packets = vec![vec![], vec![0], vec![0x45], vec![0x60; 39], short];
    let expected: Vec<_> = packets.iter().map(|p| [vec![0; 10], p.clone()].concat()).collect();
    assert_eq!(join(&mut Coalescer::new(), &packets), expected);
}
