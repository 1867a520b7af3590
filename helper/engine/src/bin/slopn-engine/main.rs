//! `slopn-engine [-f|--foreground] IFNAME`, in place of `wireguard-go`: configured by `wg` through the UAPI socket.
mod arguments;
mod daemon;
mod signals;

use arguments::{Action, Arguments};
use signals::Signals;
use slopn_engine::engine::{Engine, Options};
use slopn_engine::events::{Event, Events, Level};
use slopn_engine::sys::{self, readable};
use slopn_engine::tun::Tun;
use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let words: Result<Vec<_>, _> = std::env::args_os().skip(1).map(OsString::into_string).collect();
    let words = words.map_err(|word| format!("{word:?} isn't text"));
    match words.and_then(|words| arguments::parse(words.into_iter(), |name| std::env::var(name).ok())) {
        Ok(Action::Say(text)) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Action::Run(arguments)) if arguments.foreground => match run(&arguments, || {}) {
            Ok(()) => ExitCode::SUCCESS,
            Err(text) => fail(&text),
        },
        Ok(Action::Run(arguments)) => daemon::run(arguments.keeps_output(), |ready| run(&arguments, ready)),
        Err(text) => {
            eprintln!("slopn-engine: {text}");
            ExitCode::from(2)
        }
    }
}

/// Runs until told to end, or until there is nothing more to do. An error is a sentence: it could not start.
fn run(arguments: &Arguments, ready: impl FnOnce()) -> Result<(), String> {
    // Before there are threads, since each inherits what is blocked.
    let signals = Signals::block().map_err(|e| format!("cannot wait for signals: {e}"))?;
    let events = Arc::new(Events::new().map_err(|e| format!("cannot make an eventfd: {e}"))?);
    let engine = start(arguments, &events).map_err(|e| e.to_string())?;
    ready();
    let reason = wait(&events, &signals, arguments.log_level);
    if arguments.log_level.is_some_and(|l| l <= Level::Info) {
        // As below: a reader who has gone ends no tunnel.
        let _ = writeln!(std::io::stderr(), "slopn-engine: {}: {reason}", arguments.interface);
    }
    drop(engine);
    Ok(())
}

fn start(arguments: &Arguments, events: &Arc<Events>) -> std::io::Result<Engine> {
    let mut options = Options { stages: arguments.stages, ..Options::new(&arguments.interface) };
    let Some(fd) = arguments.tun_fd else {
        return Engine::start(&options, Arc::clone(events));
    };
    // SAFETY: whoever set WG_TUN_FD has left this descriptor to us.
    let tun = Tun::adopt(unsafe { OwnedFd::from_raw_fd(fd) })?;
    options.mtu = None;
    Engine::start_on(tun, &options, Arc::clone(events))
}

/// Gives the reason to end.
fn wait(events: &Events, signals: &Signals, log_level: Option<Level>) -> String {
    loop {
        for event in events.take() {
            let (level, text) = match event {
                Event::Down { reason } => return reason,
                Event::Log { level, text } => (level, text),
                event => (Level::Debug, format!("{event:?}")),
            };
            if log_level.is_some_and(|least| level >= least) {
                let _ = writeln!(std::io::stdout(), "{level:?}: {text}");
            }
        }
        if let Some(name) = signals.take() {
            return format!("ended by {name}");
        }
        sys::wait([events.raised(), readable(signals)], -1);
    }
}

fn fail(text: &str) -> ExitCode {
    eprintln!("slopn-engine: {text}");
    ExitCode::FAILURE
}
