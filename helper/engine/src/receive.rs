//! The receiving direction's threads: one while it keeps up, and more around the cipher while it doesn't.
use crate::arrived::Arrived;
use crate::counters::add;
use crate::inbound::Inbound;
use crate::load::Load;
use crate::pipeline::{self, Feeder};
use crate::shared::{Local, Shared, View};
use crate::sys::{Waitable, wait};
use crate::threads::cores;
use crate::udp::{self, Socket, Sockets};
use parking_lot::Mutex;
use std::io;
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// Batches from one socket before the other one is looked at.
const TURN: usize = 8;
/// As for sending.
const SMALL: usize = 8;

/// A batch, and under which configuration it came.
struct Job {
    batch: Arrived,
    view: Arc<View>,
    sockets: Arc<Sockets>,
}

/// What one round of the loop needs.
struct Reception<'a> {
    shared: &'a Shared,
    inbound: &'a Mutex<Inbound>,
    feeder: Option<Feeder<Job>>,
    back: mpsc::Sender<Arrived>,
    empties: mpsc::Receiver<Arrived>,
}

pub fn receive(shared: &Shared) -> Result<(), String> {
    let inbound = Mutex::new(Inbound::new(shared));
    let mut local = Local::new(shared);
    let mut load = Load::new(shared.stages, cores(), Instant::now());
    while !shared.is_stopping() {
        run(shared, &inbound, &mut local, &mut load)?;
    }
    Ok(())
}

/// Runs until the number of threads is to be another one.
fn run(shared: &Shared, inbound: &Mutex<Inbound>, local: &mut Local, load: &mut Load) -> Result<(), String> {
    let (back, empties) = mpsc::channel();
    std::thread::scope(|scope| {
        let mut reception = Reception { shared, inbound, feeder: None, back, empties };
        if load.workers() > 0 {
            let back = reception.back.clone();
            let finish = move |job| drop(back.send(settle(shared, inbound, job)));
            let started = pipeline::start(scope, ("wg-open", "wg-deliver"), load.workers(), verify, finish);
            reception.feeder = Some(started.map_err(|e| format!("starting threads: {e}"))?);
        }
        let mut ready = [true; 2];
        loop {
            if local.refresh(shared, &shared.rx_wake) {
                ready = [true; 2];
            }
            if shared.is_stopping() || load.look(Instant::now()) {
                return Ok(());
            }
            let sockets = local.sockets.as_deref();
            let pair = sockets.map_or([None, None], |s| [s.v4.as_ref(), s.v6.as_ref()]);
            for (socket, ready) in pair.iter().zip(&mut ready) {
                *ready = match socket {
                    Some(socket) if *ready => reception.take_turn(local, socket),
                    _ => false,
                };
            }
            if ready == [false; 2] {
                let [v4, v6] = pair.map(|s| s.map_or(Waitable::NEVER, Socket::readable));
                let before = Instant::now();
                let [r4, r6, woken] = wait([v4, v6, shared.rx_wake.raised()], -1);
                load.waited(before.elapsed());
                ready = [r4, r6];
                if woken {
                    shared.rx_wake.drain();
                }
            }
        }
    })
}

impl Reception<'_> {
    /// True when the socket may have more.
    fn take_turn(&mut self, local: &Local, socket: &Socket) -> bool {
        let Some(sockets) = &local.sockets else { return false };
        for _ in 0..TURN {
            let mut batch = self.empties.try_recv().unwrap_or_default();
            match udp::receive(socket, &mut batch) {
                Ok(()) => {
                    batch.assign(|index| self.shared.index.session(index));
                    let job = Job { batch, view: Arc::clone(&local.view), sockets: Arc::clone(sockets) };
                    match &mut self.feeder {
                        Some(feeder) if job.batch.count() > SMALL || !feeder.is_idle() => {
                            if !feeder.push(job) {
                                self.shared.down("a thread that receives has panicked");
                                return false;
                            }
                        }
                        _ => drop(self.back.send(settle(self.shared, self.inbound, verify(job)))),
                    }
                }
                Err(e) => {
                    let _ = self.back.send(batch);
                    if e.kind() == io::ErrorKind::WouldBlock {
                        return false;
                    }
                    // An ICMP error, most often; telling it has taken it off the socket.
                    add(&self.shared.counters.recv_errors, 1);
                }
            }
        }
        true
    }
}

fn verify(mut job: Job) -> Job {
    job.batch.verify();
    job
}

fn settle(shared: &Shared, inbound: &Mutex<Inbound>, job: Job) -> Arrived {
    let Job { mut batch, view, sockets } = job;
    let mut inbound = inbound.lock();
    inbound.settle(shared, &view, &mut batch);
    inbound.answer(shared, &sockets, &batch);
    inbound.deliver(shared, &mut batch);
    batch.clear();
    batch
}
