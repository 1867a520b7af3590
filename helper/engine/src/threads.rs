//! The three threads of an engine. Each tries first and waits only when there is nothing to do.
use crate::arrived::Arrived;
use crate::batch::Plain;
use crate::counters::add;
use crate::inbound::Inbound;
use crate::outbound::{Outlet, Reader, claim};
use crate::shared::{Local, Shared, View};
use crate::sys::poll;
use crate::timers::Timers;
use crate::tun::is_gone;
use crate::udp::{self, Socket, Sockets};
use std::io;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

/// Batches from one socket before the other one is looked at.
const TURN: usize = 8;

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

fn transmit(shared: &Shared) -> Result<(), String> {
    let (mut reader, mut outlet, mut empty) = (Reader::default(), Outlet::default(), Some(Plain::default()));
    let mut local = Local::new(shared);
    let (tun, wake) = (shared.tun.as_raw_fd(), shared.tx_wake.as_raw_fd());
    loop {
        local.refresh(shared, &shared.tx_wake);
        if shared.is_stopping() {
            return Ok(());
        }
        let mut batch = empty.take().unwrap_or_default();
        match reader.gather(shared, &local.view.routes, &mut batch) {
            Ok(read) => {
                let (first, peers) = claim(shared, &mut batch);
                let sealed = batch.seal();
                if let Some(sockets) = &local.sockets {
                    outlet.send_first(shared, sockets, &first, &peers);
                    outlet.send(shared, sockets, &sealed);
                }
                empty = Some(sealed.recycle());
                if !read {
                    let [_, woken] = poll([(tun, libc::POLLIN), (wake, libc::POLLIN)], -1);
                    if woken != 0 {
                        shared.tx_wake.drain();
                    }
                }
            }
            Err(e) if is_gone(&e) => return Err(format!("the TUN device is gone: {e}")),
            Err(e) => return Err(format!("reading from the TUN device: {e}")),
        }
    }
}

fn receive(shared: &Shared) -> Result<(), String> {
    let (mut inbound, mut batch) = (Inbound::new(shared), Arrived::default());
    let mut local = Local::new(shared);
    let wake = shared.rx_wake.as_raw_fd();
    let mut ready = [true; 2];
    loop {
        if local.refresh(shared, &shared.rx_wake) {
            inbound.refresh();
            ready = [true; 2];
        }
        if shared.is_stopping() {
            return Ok(());
        }
        let sockets = local.sockets.as_deref();
        let pair = sockets.map_or([None, None], |s| [s.v4.as_ref(), s.v6.as_ref()]);
        for (socket, ready) in pair.iter().zip(&mut ready) {
            *ready = match (socket, sockets) {
                (Some(socket), Some(sockets)) if *ready => {
                    take_turn(shared, &mut inbound, &mut batch, &local.view, sockets, socket)
                }
                _ => false,
            };
        }
        if ready == [false; 2] {
            let [v4, v6] = pair.map(|s| s.map_or(-1, AsRawFd::as_raw_fd));
            let [r4, r6, woken] = poll([(v4, libc::POLLIN), (v6, libc::POLLIN), (wake, libc::POLLIN)], -1);
            ready = [r4 != 0, r6 != 0];
            if woken != 0 {
                shared.rx_wake.drain();
            }
        }
    }
}

/// True when the socket may have more.
fn take_turn(
    shared: &Shared,
    inbound: &mut Inbound,
    batch: &mut Arrived,
    view: &View,
    sockets: &Sockets,
    socket: &Socket,
) -> bool {
    for _ in 0..TURN {
        match udp::receive(socket, batch) {
            Ok(()) => {
                batch.assign(|index| shared.index.session(index));
                batch.verify();
                inbound.settle(shared, view, batch);
                inbound.answer(shared, sockets, batch);
                inbound.deliver(shared, batch);
                batch.clear();
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
            // An ICMP error, most often; telling it has taken it off the socket.
            Err(_) => add(&shared.counters.recv_errors, 1),
        }
    }
    true
}

fn timer(shared: &Shared) -> Result<(), String> {
    let mut timers = Timers::new(shared);
    let wake = shared.timer_wake.as_raw_fd();
    while !shared.is_stopping() {
        let wait = timers.run(shared).saturating_duration_since(Instant::now());
        // Rounded up: woken too early, there would be nothing to do yet.
        let wait = wait.as_micros().div_ceil(1000) as i32;
        if poll([(wake, libc::POLLIN)], wait)[0] != 0 {
            shared.timer_wake.drain();
        }
    }
    Ok(())
}
