//! Decrypted packets → the TUN, joined where the kernel takes that.
use super::Tun;
use crate::arrived::Opened;
use crate::counters::{Counters, add};
use crate::events::{Events, Level};
use crate::offload::{Coalescer, VNET_HDR_LEN, split};
use crate::sys::errno;
use std::io::{self, IoSlice};

/// One a thread, since it keeps its buffers.
pub struct Writer {
    coalescer: Coalescer,
    joins: bool,
    /// A joined write that was refused, in one piece.
    refused: Vec<u8>,
}

impl Writer {
    pub fn new(tun: &Tun) -> Self {
        let (joins, udp) = tun.joins();
        let mut coalescer = Coalescer::new();
        coalescer.set_udp(udp);
        Self { coalescer, joins, refused: Vec::new() }
    }

    /// Writes all; what the device doesn't take is counted and lost. Each packet ends where its IP header says.
    pub fn write(&mut self, tun: &Tun, packets: Vec<Opened<'_>>, counters: &Counters, events: &Events) {
        let lost = |r: io::Result<usize>| r.err().map(|_| add(&counters.tun_write_errors, 1));
        let mut slices: Vec<&mut [u8]> = packets.into_iter().map(Opened::into_bytes).collect();
        if !self.joins {
            for packet in slices {
                lost(tun.write(&[IoSlice::new(&[0; VNET_HDR_LEN]), IoSlice::new(packet)]));
            }
            return;
        }
        let (refused, joins) = (&mut self.refused, &mut self.joins);
        self.coalescer.run(&mut slices, |pieces| match tun.write(pieces) {
            Err(e) if e.raw_os_error() == Some(errno::EINVAL) && pieces.len() > 2 => {
                if std::mem::take(joins) {
                    events.log(Level::Warning, "tun: kernel refuses joined packets, writing one by one");
                }
                refused.clear();
                refused.extend(pieces.iter().flat_map(|p| p.iter()));
                let one = |head: &[u8], body: &[u8]| {
                    lost(tun.write(&[IoSlice::new(&[0; VNET_HDR_LEN]), IoSlice::new(head), IoSlice::new(body)]));
                };
                if split(refused, one).is_err() {
                    add(&counters.tun_write_errors, 1);
                }
            }
            result => drop(lost(result)),
        });
    }
}
