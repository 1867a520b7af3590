//! Datagrams that have come, in the buffers that the kernel has filled; transport messages are decrypted there. What may go
//! to the TUN is of the type [`Opened`], which comes from nothing but messages that were authenticated and accepted.
use crate::offload::clamp_mss;
use crate::peer::Peer;
use crate::udp::Arrival;
use gotatun::noise::errors::WireGuardError;
use gotatun::noise::transport::{HEADER, TAG, Transport, Verified};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

/// Buffers that one system call may fill.
pub const BUFFERS: usize = 16;
/// The longest that the kernel gives at once.
pub const LARGEST: usize = 65_536;

/// A batch of datagrams.
pub struct Arrived {
    buffers: Vec<Box<[u8]>>,
    /// In the order of the buffers, and of their places in these.
    datagrams: Vec<Datagram>,
    sessions: Vec<Session>,
    arrivals: Vec<(SocketAddr, Option<Arrival>)>,
}

/// A session that messages of the batch belong to.
pub struct Session {
    pub index: u32,
    pub peer: Arc<Peer>,
    pub transport: Arc<Transport>,
}

struct Datagram {
    buffer: usize,
    at: Range<usize>,
    from: SocketAddr,
    fate: Fate,
}

#[derive(Debug)]
enum Fate {
    /// Nobody has looked at it, or it isn't a transport message.
    Raw,
    /// A transport message of no session of ours.
    Stranger,
    /// Of the session of that number in the batch.
    Sealed(usize),
    Refused(usize, WireGuardError),
    Verified(usize, Verified),
    /// Its content, from the start of the buffer.
    Accepted(Range<usize>),
    Done,
}

/// What a datagram turned out to be.
#[derive(Debug)]
pub enum Taken<'a> {
    /// A handshake message, or rubbish.
    Control(&'a [u8]),
    Stranger,
    Refused(usize, WireGuardError),
    /// An authentic message of this session, the first time. Its content may be empty.
    Accepted(usize),
}

/// A packet that its peer has sent.
pub struct Opened<'a>(&'a mut [u8]);

impl Default for Arrived {
    fn default() -> Self {
        // Zeroed by the kernel, and so without memory until it is first filled.
        let buffers = (0..BUFFERS).map(|_| vec![0; LARGEST].into_boxed_slice()).collect();
        Self { buffers, datagrams: Vec::new(), sessions: Vec::new(), arrivals: Vec::new() }
    }
}

impl Arrived {
    /// Forgets what was in it, and lets go of the sessions.
    pub fn clear(&mut self) {
        self.datagrams.clear();
        self.sessions.clear();
        self.arrivals.clear();
    }

    /// To be filled from the start, the first one first.
    pub fn buffers(&mut self) -> &mut [Box<[u8]>] {
        &mut self.buffers
    }

    /// Notes that `length` bytes in `buffer` are datagrams of `segment` bytes, the last perhaps shorter; who has sent them, and
    /// where they arrived.
    pub fn filled(
        &mut self,
        buffer: usize,
        length: usize,
        segment: usize,
        (from, arrival): (SocketAddr, Option<Arrival>),
    ) {
        // Nobody can be answered at port 0. The system's refusal would be taken for one to cut what goes to that address, and
        // so anybody could make a peer slow.
        if from.port() == 0 {
            return;
        }
        match self.arrivals.iter_mut().find(|(known, _)| *known == from) {
            // One of them may be forged.
            Some((_, before)) if *before != arrival => *before = None,
            Some(_) => {}
            None => self.arrivals.push((from, arrival)),
        }
        let starts = (0..length).step_by(segment.max(1));
        let datagram = |at: usize| Datagram { buffer, at: at..(at + segment).min(length), from, fate: Fate::Raw };
        self.datagrams.extend(starts.map(datagram));
    }

    /// Where the datagrams of `from` arrived; none when they differ.
    pub fn arrival(&self, from: &SocketAddr) -> Option<Arrival> {
        self.arrivals.iter().find(|(known, _)| known == from)?.1
    }

    pub fn count(&self) -> usize {
        self.datagrams.len()
    }

    pub fn from(&self, i: usize) -> SocketAddr {
        self.datagrams[i].from
    }

    /// Bytes of the whole datagram.
    pub fn len_of(&self, i: usize) -> usize {
        self.datagrams[i].at.len()
    }

    pub fn session(&self, number: usize) -> &Session {
        &self.sessions[number]
    }

    /// Finds each transport message's session; `find` is asked once for messages of one that follow each other.
    pub fn assign(&mut self, mut find: impl FnMut(u32) -> Option<(Arc<Peer>, Arc<Transport>)>) {
        let mut last: Option<(u32, Option<usize>)> = None;
        for datagram in &mut self.datagrams {
            let message = &self.buffers[datagram.buffer][datagram.at.clone()];
            let Some(index) = transport_index(message) else { continue };
            let number = match last {
                Some((of, number)) if of == index => number,
                _ => find(index).map(|(peer, transport)| {
                    self.sessions.push(Session { index, peer, transport });
                    self.sessions.len() - 1
                }),
            };
            last = Some((index, number));
            datagram.fate = number.map_or(Fate::Stranger, Fate::Sealed);
        }
    }

    /// Runs the cipher over the transport messages.
    pub fn verify(&mut self) {
        for Datagram { buffer, at, fate, .. } in &mut self.datagrams {
            if let Fate::Sealed(number) = *fate {
                let verified = self.sessions[number].transport.verify(&mut self.buffers[*buffer][at.clone()]);
                *fate = match verified {
                    Ok(verified) => Fate::Verified(number, verified),
                    Err(error) => Fate::Refused(number, error),
                };
            }
        }
    }

    /// Decides about one datagram; to be called once for each, in order.
    pub fn take(&mut self, i: usize) -> Taken<'_> {
        let Datagram { buffer, at, fate, .. } = &mut self.datagrams[i];
        match std::mem::replace(fate, Fate::Done) {
            Fate::Verified(number, verified) => match self.sessions[number].transport.accept(verified) {
                Ok(content) => {
                    *fate = Fate::Accepted(at.start + content.start..at.start + content.end);
                    Taken::Accepted(number)
                }
                Err(error) => Taken::Refused(number, error),
            },
            Fate::Refused(number, error) => Taken::Refused(number, error),
            Fate::Raw => Taken::Control(&self.buffers[*buffer][at.clone()]),
            Fate::Stranger | Fate::Sealed(_) | Fate::Accepted(_) | Fate::Done => Taken::Stranger,
        }
    }

    /// The content of an accepted message; else nothing.
    pub fn content(&self, i: usize) -> &[u8] {
        match &self.datagrams[i] {
            Datagram { buffer, fate: Fate::Accepted(content), .. } => &self.buffers[*buffer][content.clone()],
            _ => &[],
        }
    }

    /// Has TCP that begins here send no larger segments than fit into `limit`; 0: it isn't known.
    pub fn clamp_mss(&mut self, i: usize, limit: u16) {
        if let (Datagram { buffer, fate: Fate::Accepted(content), .. }, 1..) = (&self.datagrams[i], limit) {
            clamp_mss(&mut self.buffers[*buffer][content.clone()], limit);
        }
    }

    /// Keeps so much of the content; 0: it doesn't go to the TUN.
    pub fn truncate(&mut self, i: usize, length: usize) {
        if let Fate::Accepted(content) = &mut self.datagrams[i].fate {
            content.end = content.end.min(content.start + length);
        }
    }

    /// What goes to the TUN, in order.
    pub fn opened(&mut self) -> Vec<Opened<'_>> {
        let mut datagrams = self.datagrams.iter().peekable();
        let mut opened = Vec::with_capacity(datagrams.len());
        for (number, buffer) in self.buffers.iter_mut().enumerate() {
            let (mut rest, mut at) = (&mut buffer[..], 0);
            while let Some(datagram) = datagrams.next_if(|datagram| datagram.buffer == number) {
                let Fate::Accepted(content) = &datagram.fate else { continue };
                if content.is_empty() {
                    continue;
                }
                let (_, from) = rest.split_at_mut(content.start - at);
                let (packet, behind) = from.split_at_mut(content.len());
                (rest, at) = (behind, content.end);
                opened.push(Opened(packet));
            }
        }
        opened
    }
}

impl<'a> Opened<'a> {
    pub fn into_bytes(self) -> &'a mut [u8] {
        self.0
    }

    #[cfg(test)]
    pub fn raw(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }
}

/// The index that a transport message names.
fn transport_index(message: &[u8]) -> Option<u32> {
    match message {
        [4, 0, 0, 0, a, b, c, d, ..] if message.len() >= HEADER + TAG => Some(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
