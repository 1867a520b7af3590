//! A device of no system: what its other end gives is read, what is written comes out there. For tests, and for whoever
//! carries packets himself.
use super::{Device, LARGEST_READ};
use crate::offload::VNET_HDR_LEN;
use crate::sys::{Signal, Waitable};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Packets that wait each way; more are lost, as with any device.
const CAPACITY: usize = 4096;

/// The other end. Clones are the same one; it is meant for one device at a time.
#[derive(Clone, Debug)]
pub struct Wire(Arc<Ends>);

#[derive(Debug)]
struct Ends {
    to_engine: Mutex<VecDeque<Vec<u8>>>,
    /// While `to_engine` holds something.
    filled: Signal,
    from_engine: Mutex<VecDeque<Vec<u8>>>,
    written: Condvar,
    mtu: AtomicU16,
}

struct Memory {
    name: String,
    ends: Arc<Ends>,
}

impl Wire {
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Ends {
            to_engine: Mutex::default(),
            filled: Signal::new()?,
            from_engine: Mutex::default(),
            written: Condvar::new(),
            mtu: AtomicU16::new(1420),
        })))
    }

    /// Gives the engine one IP packet. False: it is lost, since too many wait.
    pub fn send(&self, packet: Vec<u8>) -> bool {
        let mut queue = self.0.to_engine.lock();
        if queue.len() >= CAPACITY || packet.len() > LARGEST_READ - VNET_HDR_LEN {
            return false;
        }
        queue.push_back(packet);
        self.0.filled.signal();
        true
    }

    /// One IP packet from the engine; none when none comes for so long.
    pub fn receive(&self, patience: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        let mut queue = self.0.from_engine.lock();
        while queue.is_empty() {
            if self.0.written.wait_until(&mut queue, deadline).timed_out() {
                break;
            }
        }
        queue.pop_front()
    }

    pub(super) fn attach(&self, name: &str) -> impl Device + use<> {
        Memory { name: name.to_owned(), ends: Arc::clone(&self.0) }
    }
}

impl Device for Memory {
    fn describe(&self) -> String {
        "tun: none, packets stay in memory".to_owned()
    }

    fn name(&self) -> io::Result<String> {
        Ok(self.name.clone())
    }

    fn read(&self, buf: &mut [u8; LARGEST_READ]) -> io::Result<usize> {
        let mut queue = self.ends.to_engine.lock();
        let Some(packet) = queue.pop_front() else {
            self.ends.filled.drain();
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let end = VNET_HDR_LEN + packet.len();
        buf[..VNET_HDR_LEN].fill(0);
        buf[VNET_HDR_LEN..end].copy_from_slice(&packet);
        Ok(end)
    }

    fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let packet: Vec<u8> = pieces.iter().skip(1).flat_map(|piece| piece.iter().copied()).collect();
        let (mut queue, len) = (self.ends.from_engine.lock(), packet.len());
        if queue.len() >= CAPACITY {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        queue.push_back(packet);
        self.ends.written.notify_one();
        Ok(len)
    }

    fn readable(&self) -> Waitable {
        self.ends.filled.raised()
    }

    fn is_gone(&self, _: &io::Error) -> bool {
        false
    }

    fn mtu(&self) -> io::Result<u16> {
        Ok(self.ends.mtu.load(Relaxed))
    }

    fn set_mtu(&self, mtu: u16) -> io::Result<()> {
        self.ends.mtu.store(mtu, Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Tun};
    use super::*;
    use crate::sys::wait;

    #[test]
    fn packets_come_out_at_the_other_end_in_order() {
        let wire = Wire::new().unwrap();
        let tun = Tun::create(&Kind::Memory(wire.clone()), "none", true).unwrap();
        let mut buf = [0; LARGEST_READ];
        assert_eq!(tun.read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(wait([tun.readable()], 0), [false]);
        assert!(wire.send(vec![1, 2]) && wire.send(vec![3]));
        assert_eq!(wait([tun.readable()], 0), [true]);
        for packet in [&[1, 2][..], &[3]] {
            let n = tun.read(&mut buf).unwrap();
            assert_eq!(&buf[VNET_HDR_LEN..n], packet);
        }
        let head = [0; VNET_HDR_LEN];
        tun.write(&[IoSlice::new(&head), IoSlice::new(&[7]), IoSlice::new(&[8])]).unwrap();
        assert_eq!(wire.receive(Duration::ZERO), Some(vec![7, 8]));
        assert_eq!(wire.receive(Duration::from_millis(1)), None);
    }

    #[test]
    fn what_nobody_takes_is_lost_in_the_end() {
        let wire = Wire::new().unwrap();
        let tun = Tun::create(&Kind::Memory(wire.clone()), "none", true).unwrap();
        assert!((0..CAPACITY).all(|_| wire.send(vec![1])));
        assert!(!wire.send(vec![1]));
        assert!((0..CAPACITY).all(|_| tun.write(&[IoSlice::new(&[])]).is_ok()));
        assert!(tun.write(&[IoSlice::new(&[])]).is_err());
    }
}
