//! Packets that a peer's path doesn't carry whole, told to who sent them as a router would (RFC 1191, RFC 8201), before they
//! are encrypted; and the segment size that TCP agrees on, cut to what the path carries.
use super::checksum::{Sum, internet_checksum};
use super::packet::{Layout, Protocol, be16, put};
use super::vnet::{Gso, VNET_HDR_LEN, VnetHeader};

/// Every link carries this much of IPv6 (RFC 8200 5); no host may be asked for less.
const LEAST6: u16 = 1280;
/// Bytes of the packet that are quoted: enough for every header that says whose it is.
const QUOTED: usize = 128;
/// IPv6, a few extension headers, and TCP with all options; with data in it, it is left alone.
const LONGEST_SYN: usize = 160;
const SYN: u8 = 0x02;
const DF: u16 = 0x4000;

/// Looks at what was read from the TUN, `virtio_net_hdr` first, and is to be at most `limit` bytes once it is cut into
/// packets. Some: it mustn't be sent, and this ICMP error is the answer to it.
pub fn fit(read: &mut [u8], limit: u16) -> Option<Vec<u8>> {
    let (header, packet) = read.split_first_chunk_mut::<VNET_HDR_LEN>()?;
    let header = VnetHeader::parse(header)?;
    let layout = Layout::of(packet);
    if let Some(layout) = layout {
        clamp(packet, layout, limit, header.needs_csum);
    }
    let longest = match (header.gso, layout) {
        (Gso::None, _) => packet.len(),
        (_, Some(layout)) => layout.payload + usize::from(header.segment),
        (_, None) => return None,
    };
    if longest <= usize::from(limit) {
        return None;
    }
    match packet.first()? >> 4 {
        4 if be16(packet, 6)? & DF != 0 => too_big4(packet, limit),
        6 if longest > usize::from(LEAST6) => too_big6(packet, limit.max(LEAST6)),
        // It may be cut outside the tunnel.
        _ => None,
    }
}

/// Has TCP send no larger segments than fit into `limit`, if this whole packet begins a connection.
pub fn clamp_mss(packet: &mut [u8], limit: u16) {
    if packet.len() <= LONGEST_SYN
        && let Some(layout) = Layout::of(packet)
    {
        clamp(packet, layout, limit, false);
    }
}

/// Lowers the option "maximum segment size" of a SYN, if it has one.
fn clamp(packet: &mut [u8], layout: Layout, limit: u16, partial: bool) -> Option<()> {
    if layout.protocol != Protocol::Tcp || packet.get(layout.transport + 13)? & SYN == 0 {
        return None;
    }
    let most = limit.saturating_sub(if layout.v6 { 60 } else { 40 });
    let mut at = layout.transport + 20;
    while at < layout.payload {
        match (*packet.get(at)?, packet.get(at + 1).copied()) {
            (0, _) => return None,
            (1, _) => at += 1,
            (2, Some(4)) => {
                let size = be16(packet, at + 2)?;
                if size > most {
                    put(packet, at + 2, most.to_be_bytes())?;
                    // The kernel's own SYN has the pseudo header's sum only: the rest is added later.
                    if !partial {
                        resum(packet, layout, at + 2 - layout.transport, size, most)?;
                    }
                }
                return Some(());
            }
            (_, Some(length @ 2..)) => at += usize::from(length),
            _ => return None,
        }
    }
    None
}

/// RFC 1624. A number at an odd place is one with its bytes swapped.
fn resum(packet: &mut [u8], layout: Layout, at: usize, old: u16, new: u16) -> Option<()> {
    let field = layout.transport + layout.protocol.checksum_offset();
    let (old, new) = if at.is_multiple_of(2) { (old, new) } else { (old.swap_bytes(), new.swap_bytes()) };
    let sum = Sum::default().add_be16(!be16(packet, field)?).sub_be16(old).add_be16(new).finish();
    put(packet, field, sum)
}

/// As if from whom it was for: who sent it has a way there, and takes what comes from there.
fn too_big4(packet: &[u8], limit: u16) -> Option<Vec<u8>> {
    let quoted = packet.get(..QUOTED.min(packet.len()))?;
    let mut icmp = vec![3, 4, 0, 0, 0, 0];
    icmp.extend(limit.to_be_bytes());
    icmp.extend(quoted);
    let sum = internet_checksum(&[&icmp]);
    put(&mut icmp, 2, sum)?;
    let length = u16::try_from(20 + icmp.len()).ok()?.to_be_bytes();
    let mut answer = vec![0x45, 0xc0, length[0], length[1], 0, 0, 0, 0, 64, 1, 0, 0];
    answer.extend(packet.get(16..20)?.iter().chain(packet.get(12..16)?));
    let sum = internet_checksum(&[&answer]);
    put(&mut answer, 10, sum)?;
    answer.extend(icmp);
    Some(answer)
}

fn too_big6(packet: &[u8], limit: u16) -> Option<Vec<u8>> {
    let quoted = packet.get(..QUOTED.min(packet.len()))?;
    let mut icmp = vec![2, 0, 0, 0, 0, 0];
    icmp.extend(limit.to_be_bytes());
    icmp.extend(quoted);
    let length = u16::try_from(icmp.len()).ok()?.to_be_bytes();
    let (from, to) = (packet.get(24..40)?, packet.get(8..24)?);
    let sum = internet_checksum(&[from, to, &[0, 0, length[0], length[1], 0, 0, 0, 58], &icmp]);
    put(&mut icmp, 2, sum)?;
    let mut answer = vec![0x60, 0, 0, 0, length[0], length[1], 58, 64];
    answer.extend(from.iter().chain(to));
    answer.extend(icmp);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A TCP packet with right sums, behind an empty header; `options` in multiples of four.
    fn tcp(v6: bool, flags: u8, options: &[u8], payload: usize) -> Vec<u8> {
        let length = 20 + options.len() + payload;
        let mut packet = if v6 {
            let mut head = vec![0x60, 0, 0, 0, (length >> 8) as u8, length as u8, 6, 64];
            head.extend([[0xfd; 16], [0xfe; 16]].concat());
            head
        } else {
            let total = 20 + length;
            let mut head = vec![0x45, 0, (total >> 8) as u8, total as u8, 0, 7, 0x40, 0, 64, 6, 0, 0];
            head.extend([10, 0, 0, 1, 10, 0, 0, 2]);
            let sum = internet_checksum(&[&head]);
            head[10..12].copy_from_slice(&sum);
            head
        };
        let at = packet.len();
        packet.extend([0, 80, 0, 81, 0, 0, 0, 1, 0, 0, 0, 2, ((20 + options.len()) as u8 / 4) << 4, flags]);
        packet.extend([0xff, 0xff, 0, 0, 0, 0]);
        packet.extend(options);
        packet.resize(at + length, 0x55);
        let layout = Layout::of(&packet).unwrap();
        let sum = layout.pseudo(&packet, length as u16).unwrap().add(&packet[at..]).finish();
        packet[at + 16..at + 18].copy_from_slice(&sum);
        [vec![0; VNET_HDR_LEN], packet].concat()
    }

    fn mss(read: &[u8], option: usize) -> u16 {
        be16(read, option).unwrap()
    }

    #[test]
    fn what_fits_is_left_alone() {
        for v6 in [false, true] {
            let mut read = tcp(v6, 0x10, &[], 1300);
            let before = read.clone();
            assert_eq!(fit(&mut read, 1360), None);
            assert_eq!(read, before);
        }
    }

    #[test]
    fn what_is_too_long_is_told_to_its_sender() {
        let mut read = tcp(false, 0x10, &[], 1381 - 40);
        let answer = fit(&mut read, 1380).unwrap();
        assert_eq!((&answer[12..16], &answer[16..20]), (&[10, 0, 0, 2][..], &[10, 0, 0, 1][..]));
        assert_eq!((&answer[20..22], be16(&answer, 26)), (&[3, 4][..], Some(1380)));
        assert_eq!(answer[28..28 + 40], read[VNET_HDR_LEN..VNET_HDR_LEN + 40]);
        assert_eq!(internet_checksum(&[&answer[..20]]), [0, 0]);
        assert_eq!(internet_checksum(&[&answer[20..]]), [0, 0]);
        let mut read = tcp(true, 0x10, &[], 1381 - 60);
        let answer = fit(&mut read, 1380).unwrap();
        assert_eq!((answer[8], answer[24], answer[40], be16(&answer, 46)), (0xfe, 0xfd, 2, Some(1380)));
        let pseudo = [&answer[8..40], &[0, 0, answer[4], answer[5], 0, 0, 0, 58]].concat();
        assert_eq!(internet_checksum(&[&pseudo, &answer[40..]]), [0, 0]);
    }

    #[test]
    fn what_may_be_cut_outside_goes_on() {
        let mut read = tcp(false, 0x10, &[], 1400);
        read[VNET_HDR_LEN + 6] = 0;
        assert_eq!(fit(&mut read, 1300), None, "no DF");
        assert_eq!(fit(&mut tcp(true, 0x10, &[], 1280 - 60), 1200), None, "IPv6 has its least");
        let answer = fit(&mut tcp(true, 0x10, &[], 1281 - 60), 1200).unwrap();
        assert_eq!(be16(&answer, 46), Some(1280));
    }

    #[test]
    fn of_a_large_read_its_segments_count() {
        for (segment, refused) in [(1340u16, false), (1341, true)] {
            let mut read = tcp(false, 0x10, &[], 8000);
            read[1] = 1;
            read[4..6].copy_from_slice(&segment.to_ne_bytes());
            assert_eq!(fit(&mut read, 1380).is_some(), refused, "{segment}");
        }
    }

    #[test]
    fn the_segment_size_is_only_lowered_and_the_sum_stays_right() {
        // Second: behind a NOP, so that the number stands at an odd place.
        for (options, at) in [(&[2, 4, 5, 180, 1, 1, 1, 0][..], 2), (&[1, 2, 4, 5, 180, 1, 1, 0], 3)] {
            for (v6, head) in [(false, 40), (true, 60)] {
                for (limit, size) in [(1300, 1300 - head as u16), (1500, 1500 - head as u16), (1520, 1460)] {
                    let size = size.min(1460);
                    let mut read = tcp(v6, SYN, options, 0);
                    assert_eq!(fit(&mut read, limit), None);
                    assert_eq!(mss(&read, VNET_HDR_LEN + head + at), size);
                    let packet = &read[VNET_HDR_LEN..];
                    assert!(Layout::of(packet).unwrap().checksums_valid(packet));
                }
            }
        }
        let mut packet = tcp(true, SYN | 0x10, &[2, 4, 5, 180], 0).split_off(VNET_HDR_LEN);
        clamp_mss(&mut packet, 1200);
        assert_eq!(mss(&packet, 62), 1140, "what comes in");
        assert!(Layout::of(&packet).unwrap().checksums_valid(&packet));
        let mut read = tcp(false, 0x10, &[2, 4, 5, 180], 0);
        fit(&mut read, 1300);
        assert_eq!(mss(&read, VNET_HDR_LEN + 42), 1460, "no SYN");
    }

    proptest! {
        #[test]
        fn whatever_comes_nothing_panics(mut read: Vec<u8>, limit: u16, v6: bool, options: [u8; 12]) {
            fit(&mut read, limit);
            fit(&mut tcp(v6, SYN, &options, 3), limit);
        }
    }
}
