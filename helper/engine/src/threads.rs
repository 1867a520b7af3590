//! The threads of an engine. Each tries first and waits only when there is nothing to do.
use crate::receive::receive;
use crate::shared::Shared;
use crate::sys::wait;
use crate::timers::Timers;
use crate::transmit::transmit;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle, available_parallelism};
use std::time::Instant;

/// How many cores we may use.
pub fn cores() -> usize {
    available_parallelism().map_or(1, Into::into)
}

/// Starts them; they end with `Shared::stop`. When one ends otherwise, all do, and the engine reports `Down`.
pub fn spawn(shared: &Arc<Shared>) -> io::Result<Vec<JoinHandle<()>>> {
    let start = |name: &str, body: fn(&Shared) -> Result<(), String>| {
        let (shared, title) = (Arc::clone(shared), name.to_owned());
        Builder::new().name(name.to_owned()).spawn(move || match catch_unwind(AssertUnwindSafe(|| body(&shared))) {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => shared.down(reason),
            Err(_) => shared.down(format!("thread {title} has panicked")),
        })
    };
    let mut threads = Vec::new();
    for (name, body) in [("wg-tx", transmit as fn(&Shared) -> _), ("wg-rx", receive), ("wg-timer", timer)] {
        match start(name, body) {
            Ok(thread) => threads.push(thread),
            Err(e) => {
                shared.stop();
                threads.into_iter().for_each(|t| drop(t.join()));
                return Err(e);
            }
        }
    }
    Ok(threads)
}

fn timer(shared: &Shared) -> Result<(), String> {
    let mut timers = Timers::start();
    while !shared.is_stopping() {
        let pause = timers.run(shared).saturating_duration_since(Instant::now());
        // Rounded up: woken too early, there would be nothing to do yet.
        let pause = pause.as_micros().div_ceil(1000) as i32;
        if wait([shared.timer_wake.raised()], pause) == [true] {
            shared.timer_wake.drain();
        }
    }
    Ok(())
}
