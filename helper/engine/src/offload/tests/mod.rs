//! Examples, properties, and a short fuzz sample (`PROPTEST_CASES` makes it longer).
use super::{Coalescer, VNET_HDR_LEN, ip_len, split};

mod coalescing;
pub mod exercise;
mod fuzz;
mod packets;
mod properties;
mod splitting;

/// What the coalescer writes for `packets`, each write in one piece.
fn join(coalescer: &mut Coalescer, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut copies = packets.to_vec();
    let mut views: Vec<&mut [u8]> = copies.iter_mut().map(Vec::as_mut_slice).collect();
    let mut writes = vec![];
    coalescer.run(&mut views, |pieces| {
        assert_eq!(pieces[0].len(), VNET_HDR_LEN);
        writes.push(pieces.iter().flat_map(|piece| piece.iter().copied()).collect());
    });
    writes
}

/// What `split` makes of one read.
fn cut(read: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = vec![];
    let emit = |headers: &[u8], payload: &[u8]| packets.push([headers, payload].concat());
    let count = split(&mut read.to_vec(), emit);
    assert_eq!(count, Ok(packets.len()));
    packets
}
