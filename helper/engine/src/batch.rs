//! Packets on their way out, in one piece of memory: each stands in a slot with room for header and tag, and is encrypted
//! there. [`Plain`] can't be sent, and [`Sealed`] comes from nothing but [`Plain::seal`], which has run the cipher over all
//! that it holds. Buffers go round, so nothing is allocated once they have grown to the usual batch.
use crate::offload::{SplitError, split};
use crate::peer::Peer;
use crate::udp::Datagrams;
use gotatun::noise::transport::{Claim, HEADER, TAG};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

/// A batch whose cipher hasn't run.
#[derive(Default)]
pub struct Plain(Box<Buffers>);

/// A batch of messages to send.
#[derive(Default)]
pub struct Sealed(Box<Buffers>);

#[derive(Default)]
struct Buffers {
    bytes: Vec<u8>,
    slots: Vec<Range<usize>>,
    runs: Vec<Run>,
    /// What was sealed, and where it goes.
    ready: Vec<(Range<usize>, SocketAddr)>,
}

/// Packets of one peer that follow each other.
struct Run {
    peer: Arc<Peer>,
    slots: Range<usize>,
    /// With it they can be sealed; none: they aren't sent.
    leave: Option<(Claim, SocketAddr)>,
    ready: Range<usize>,
}

impl Plain {
    /// Packets in it.
    pub fn count(&self) -> usize {
        self.0.slots.len()
    }

    /// Adds one read of the TUN, cut into packets and padded as WireGuard does it: to 16 bytes, but not beyond the MTU.
    ///
    /// # Errors
    /// The read contradicts itself; nothing of it was added.
    pub fn add(&mut self, peer: &Arc<Peer>, read: &mut [u8], mtu: usize) -> Result<(), SplitError> {
        let Buffers { bytes, slots, runs, .. } = &mut *self.0;
        let first = slots.len();
        split(read, |head, body| {
            let (start, length) = (bytes.len(), head.len() + body.len());
            let padded = length.next_multiple_of(16).min(mtu).max(length);
            bytes.extend_from_slice(&[0; HEADER]);
            bytes.extend_from_slice(head);
            bytes.extend_from_slice(body);
            bytes.resize(start + HEADER + padded + TAG, 0);
            slots.push(start..bytes.len());
        })?;
        match runs.last_mut() {
            Some(run) if Arc::ptr_eq(&run.peer, peer) => run.slots.end = slots.len(),
            _ => runs.push(Run { peer: Arc::clone(peer), slots: first..slots.len(), leave: None, ready: 0..0 }),
        }
        Ok(())
    }

    /// Takes each packet's counter. What can't have one, for want of a session or an endpoint, goes to `hold`, peer by peer.
    pub fn claim(&mut self, mut hold: impl FnMut(&Arc<Peer>, &mut dyn Iterator<Item = &[u8]>)) {
        let Buffers { bytes, slots, runs, .. } = &mut *self.0;
        for run in runs {
            run.leave = run.peer.claim(run.slots.len());
            if run.leave.is_none() {
                let contents = slots[run.slots.clone()].iter().map(|slot| &bytes[slot.start + HEADER..slot.end - TAG]);
                hold(&run.peer, &mut { contents });
            }
        }
    }

    /// Runs the cipher.
    pub fn seal(mut self) -> Sealed {
        let Buffers { bytes, slots, runs, ready } = &mut *self.0;
        for run in runs {
            let from = ready.len();
            if let Some((mut claim, to)) = run.leave.take() {
                let sealed = slots[run.slots.clone()].iter().filter(|slot| claim.seal(&mut bytes[(*slot).clone()]));
                ready.extend(sealed.map(|slot| (slot.clone(), to)));
            }
            run.ready = from..ready.len();
        }
        Sealed(self.0)
    }
}

impl Sealed {
    /// The peers and which of the messages are theirs.
    pub fn runs(&self) -> impl Iterator<Item = (&Arc<Peer>, Range<usize>)> {
        self.0.runs.iter().map(|run| (&run.peer, run.ready.clone()))
    }

    /// An empty batch in the same memory; this also lets go of the peers.
    pub fn recycle(self) -> Plain {
        let mut buffers = self.0;
        buffers.bytes.clear();
        buffers.slots.clear();
        buffers.runs.clear();
        buffers.ready.clear();
        Plain(buffers)
    }
}

impl Datagrams for Sealed {
    fn count(&self) -> usize {
        self.0.ready.len()
    }

    fn get(&self, i: usize) -> (&[u8], SocketAddr) {
        let (slot, to) = &self.0.ready[i];
        (&self.0.bytes[slot.clone()], *to)
    }
}

#[cfg(test)]
mod tests;
