//! The sending direction's threads: one while it keeps up, and more around the cipher while it doesn't.
use crate::batch::{Plain, Sealed};
use crate::load::Load;
use crate::outbound::{Outlet, Reader, claim};
use crate::peer::Peer;
use crate::pipeline;
use crate::shared::{Local, Shared};
use crate::sys::wait;
use crate::threads::cores;
use crate::udp::{Outgoing, Sockets};
use parking_lot::Mutex;
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// Batches of at most so many packets are done by the first thread while the others have nothing: handing them on takes
/// longer.
const SMALL: usize = 8;

/// A batch with its counters, and what goes before it.
struct Job<B> {
    batch: B,
    first: (Vec<Outgoing>, Vec<Arc<Peer>>),
    sockets: Option<Arc<Sockets>>,
}

pub fn transmit(shared: &Shared) -> Result<(), String> {
    let (mut reader, outlet) = (Reader::default(), Mutex::new(Outlet::default()));
    let mut local = Local::new(shared);
    let mut load = Load::new(shared.stages, cores(), Instant::now());
    while !shared.is_stopping() {
        run(shared, &mut reader, &outlet, &mut local, &mut load)?;
    }
    Ok(())
}

/// Runs until the number of threads is to be another one.
fn run(
    shared: &Shared,
    reader: &mut Reader,
    outlet: &Mutex<Outlet>,
    local: &mut Local,
    load: &mut Load,
) -> Result<(), String> {
    let (back, empties) = mpsc::channel::<Plain>();
    std::thread::scope(|scope| {
        let mut feeder = None;
        if load.workers() > 0 {
            let back = back.clone();
            let finish = move |job| drop(back.send(send(shared, outlet, job)));
            let started = pipeline::start(scope, ("wg-seal", "wg-send"), load.workers(), seal, finish);
            feeder = Some(started.map_err(|e| format!("starting threads: {e}"))?);
        }
        loop {
            local.refresh(shared, &shared.tx_wake);
            if shared.is_stopping() || load.look(Instant::now()) {
                return Ok(());
            }
            let mut batch = empties.try_recv().unwrap_or_default();
            let read = match reader.gather(shared, &local.view.routes, &mut batch) {
                Ok(read) => read,
                Err(e) if shared.tun.is_gone(&e) => return Err(format!("the TUN device is gone: {e}")),
                Err(e) => return Err(format!("reading from the TUN device: {e}")),
            };
            if !read {
                let _ = back.send(batch);
                let before = Instant::now();
                let [_, woken] = wait([shared.tun.readable(), shared.tx_wake.raised()], -1);
                load.waited(before.elapsed());
                if woken {
                    shared.tx_wake.drain();
                }
                continue;
            }
            let first = claim(shared, &mut batch);
            let job = Job { first, sockets: local.sockets.clone(), batch };
            match &mut feeder {
                Some(feeder) if job.batch.count() > SMALL || !feeder.is_idle() => {
                    if !feeder.push(job) {
                        return Ok(());
                    }
                }
                _ => drop(back.send(send(shared, outlet, seal(job)))),
            }
        }
    })
}

fn seal(job: Job<Plain>) -> Job<Sealed> {
    let Job { batch, first, sockets } = job;
    Job { batch: batch.seal(), first, sockets }
}

fn send(shared: &Shared, outlet: &Mutex<Outlet>, job: Job<Sealed>) -> Plain {
    if let Some(sockets) = &job.sockets {
        let mut outlet = outlet.lock();
        outlet.send_first(shared, sockets, &job.first.0, &job.first.1);
        outlet.send(shared, sockets, &job.batch);
    }
    job.batch.recycle()
}
