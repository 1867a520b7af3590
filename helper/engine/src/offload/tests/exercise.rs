//! What must hold for any bytes: shared by the fuzz target and by its short sample in `cargo test`.
use super::{Coalescer, VNET_HDR_LEN, ip_len, split};

/// Reads `bytes` as the TUN's and as the wire's.
///
/// # Panics
/// When something was lost, invented, or not understood again.
pub fn check(bytes: &[u8]) {
    let mut packets = vec![];
    let count = split(&mut bytes.to_vec(), |headers, payload| packets.push([headers, payload].concat()));
    assert_eq!(count.unwrap_or(0), packets.len(), "emitted and counted differ, or emitted before refusing");
    for packet in &packets {
        assert_eq!(ip_len(packet), Some(packet.len()), "a packet that doesn't end where it says");
    }
    round_trip(&packets);
    round_trip(&chop(bytes));
}

/// Whatever is joined can be cut again, and nothing but headers changes.
fn round_trip(packets: &[Vec<u8>]) {
    let mut copies = packets.to_vec();
    let mut views: Vec<&mut [u8]> = copies.iter_mut().map(Vec::as_mut_slice).collect();
    let mut back = vec![];
    Coalescer::new().run(&mut views, |pieces| {
        let write: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        if pieces.len() == 2 {
            back.push(write[VNET_HDR_LEN..].to_vec());
        } else {
            let before = back.len();
            split(&mut write.clone(), |headers, payload| back.push([headers, payload].concat())).expect("we made it");
            assert_eq!(back.len() - before, pieces.len() - 1, "joined and cut differ");
        }
    });
    let mut lengths = [packets, &back].map(|all| all.iter().map(Vec::len).collect::<Vec<_>>());
    lengths.iter_mut().for_each(|all| all.sort_unstable());
    assert_eq!(lengths[0], lengths[1], "packets lost or invented");
}

/// Cuts `bytes` into packets: a length, then that many bytes.
fn chop(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = vec![];
    while let Some((length, rest)) = bytes.split_first() {
        let (packet, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        packets.push(packet.to_vec());
        bytes = rest;
    }
    packets
}
