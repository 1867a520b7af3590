//! Whatever streams come, in whatever order: nothing is lost, added, reordered or damaged.
use proptest::collection::vec;
use proptest::prelude::*;

use super::packets::{Fields, fix, valid};
use super::{Coalescer, cut, join};

prop_compose! {
    /// A flow's fixed part.
    fn flow()(
        v6: bool, udp: bool, hosts in [0u8..2, 0u8..2], ports in [0u16..2, 0u16..2], sequence: u32, id: u16,
        class in prop_oneof![Just(0u8), any::<u8>()], may_fragment: bool, stamp: bool,
    ) -> Fields {
        let options = if stamp && !udp { vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8] } else { vec![] };
        Fields { v6, udp, hosts, ports, sequence, id, class, may_fragment, options, ..Fields::default() }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Data(usize),
    Flags(u8),
    Gap,
    Class(u8),
    Acknowledge,
    Damage,
    Empty,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => prop_oneof![Just(100usize), Just(1380), 1usize..1400].prop_map(Step::Data),
        2 => any::<u8>().prop_map(Step::Flags),
        1 => Just(Step::Gap),
        1 => any::<u8>().prop_map(Step::Class),
        1 => Just(Step::Acknowledge),
        1 => Just(Step::Damage),
        1 => Just(Step::Empty),
    ]
}

/// Packets of a few flows, mixed.
fn batch() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (vec(flow(), 1..5), vec((any::<prop::sample::Index>(), step(), any::<u8>()), 0..120)).prop_map(
        |(mut flows, steps)| {
            let next = |(which, step, fill): (prop::sample::Index, Step, u8)| {
                next_packet(which.get_mut(&mut flows), &step, fill)
            };
            steps.into_iter().map(next).collect()
        },
    )
}

fn next_packet(flow: &mut Fields, step: &Step, fill: u8) -> Vec<u8> {
    let mut size = 100;
    let mut flags = 0x10;
    let mut damage = 0;
    *flow = flow.then(&[]);
    match *step {
        Step::Data(n) => size = n,
        Step::Flags(f) => flags = f,
        Step::Gap => flow.sequence = flow.sequence.wrapping_add(1),
        Step::Class(class) => flow.class = class,
        Step::Acknowledge => flow.acknowledgement += 1,
        Step::Damage => damage = 0x55,
        Step::Empty => size = 0,
    }
    (flow.flags, flow.payload) = (flags, vec![fill; size]);
    let mut packet = flow.build();
    *packet.last_mut().unwrap() ^= damage;
    packet
}

/// The packet without what a cut may write anew: with DF set, the id is free.
fn essence(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    if packet[0] >> 4 == 4 && packet[6] & 0x40 != 0 {
        packet[4..6].fill(0);
        packet[10..12].fill(0);
    }
    packet
}

/// Addresses, protocol and ports.
fn key(packet: &[u8]) -> Vec<u8> {
    if packet[0] >> 4 == 6 {
        [&packet[6..7], &packet[8..44]].concat()
    } else {
        [&packet[9..10], &packet[12..24]].concat()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// split ∘ coalesce gives each flow's packets back, in order.
    #[test]
    fn streams_come_back(batches in vec(batch(), 1..3)) {
        let mut coalescer = Coalescer::new();
        for packets in batches {
            let writes = join(&mut coalescer, &packets);
            prop_assert!(writes.iter().all(|write| write.len() <= 10 + 65_535));
            let back: Vec<_> = writes.iter().flat_map(|write| cut(write)).collect();
            prop_assert_eq!(back.len(), packets.len());
            for packet in &packets {
                let of = |all: &[Vec<u8>]| all.iter().filter(|p| key(p) == key(packet)).map(|p| essence(p)).collect::<Vec<_>>();
                prop_assert_eq!(of(&back), of(&packets));
            }
            let broken = |all: &[Vec<u8>]| all.iter().filter(|p| !valid(p)).count();
            prop_assert_eq!(broken(&back), broken(&packets));
        }
    }

    /// coalesce ∘ split gives the oversized packet back, where it had its final flags.
    #[test]
    fn oversized_comes_back(start in flow(), size in 1usize..1400, count in 2usize..40, tail in 0usize..1400) {
        let length = (size * count + tail % size).min(60_000);
        let payload: Vec<u8> = (0..length).map(|i| (i * 31) as u8).collect();
        let whole = Fields { payload, ..start };
        let gso = match (whole.udp, whole.v6) { (true, _) => 5, (_, true) => 4, _ => 1 };
        let read = whole.oversized(gso, size as u16);
        let packets = cut(&read);
        prop_assert_eq!(packets.len(), length.div_ceil(size));
        prop_assert!(packets.iter().all(|packet| valid(packet)));
        if packets.len() > 1 {
            prop_assert_eq!(&join(&mut Coalescer::new(), &packets)[0], &read);
        }
    }

    /// Nothing is allocated once the lists have grown.
    #[test]
    fn lists_are_kept(packets in batch()) {
        let mut coalescer = Coalescer::new();
        join(&mut coalescer, &packets);
        let sizes = coalescer.capacities();
        join(&mut coalescer, &packets);
        prop_assert_eq!(coalescer.capacities(), sizes);
    }

    /// The fast sum is RFC 1071's, whatever the length and however it is cut.
    #[test]
    fn checksum(bytes in vec(any::<u8>(), 0..3000), at in 0usize..1500) {
        use crate::offload::checksum::Sum;
        let plain = super::packets::plain_sum(&[&bytes]);
        let (a, b) = bytes.split_at((at * 2).min(bytes.len() & !1));
        prop_assert_eq!(Sum::default().add(a).add(b).finish(), (!plain).to_be_bytes());
    }

    /// `fix` and `valid`, which the other tests rest on, agree and notice a flipped bit.
    #[test]
    fn oracle(start in flow(), payload in vec(any::<u8>(), 1..50), bit in 0usize..400) {
        let fields = Fields { payload, ..start };
        let mut packet = fields.build();
        prop_assert!(valid(&packet));
        let at = fields.transport() + 8 + bit / 8 % (packet.len() - fields.transport() - 8);
        packet[at] ^= 1 << (bit % 8);
        prop_assert!(!valid(&packet));
        fix(&mut packet, fields.transport(), fields.udp);
        prop_assert!(valid(&packet));
    }
}
