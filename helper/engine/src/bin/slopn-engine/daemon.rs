//! Going to the background: the parent returns when the child is ready, with the child's verdict.
use slopn_engine::sys::cvt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::process::ExitCode;

/// What the child writes when it is ready; anything else is why it isn't.
const READY: &[u8] = b"\0";

/// Forks, and runs `body` in the child. To be called before there are threads.
pub fn run(keep_output: bool, body: impl FnOnce(Box<dyn FnOnce()>) -> Result<(), String>) -> ExitCode {
    match fork() {
        Ok(Side::Parent(pipe)) => verdict(pipe),
        Ok(Side::Child(pipe)) => {
            let mut report = pipe.try_clone();
            let ready = move || {
                let _ = detach(keep_output);
                // Only a killed parent doesn't read it.
                let _ = (&pipe).write_all(READY);
            };
            match (body(Box::new(ready)), &mut report) {
                (Ok(()), _) => ExitCode::SUCCESS,
                (Err(text), Ok(report)) => {
                    let _ = report.write_all(text.as_bytes());
                    ExitCode::FAILURE
                }
                (Err(_), Err(_)) => ExitCode::FAILURE,
            }
        }
        Err(e) => {
            eprintln!("slopn-engine: cannot go to the background: {e}");
            ExitCode::FAILURE
        }
    }
}

enum Side {
    Parent(File),
    Child(File),
}

fn fork() -> io::Result<Side> {
    let mut ends: [RawFd; 2] = [0; 2];
    // SAFETY: pipe2 fills in two fresh descriptors, each of which gets one owner. There is one thread, so the child
    // of fork may do anything.
    unsafe {
        cvt(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) as isize)?;
        let (read, write) = (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]));
        match cvt(libc::fork() as isize)? {
            0 => {
                cvt(libc::setsid() as isize)?;
                Ok(Side::Child(write))
            }
            _ => Ok(Side::Parent(read)),
        }
    }
}

fn verdict(mut pipe: File) -> ExitCode {
    let mut said = Vec::new();
    let mut chunk = [0; 512];
    // Not to the end: the child keeps its side open while it runs.
    while said != READY {
        match pipe.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => said.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if said == READY {
        return ExitCode::SUCCESS;
    }
    let text = String::from_utf8_lossy(&said);
    eprintln!("slopn-engine: {}", if text.is_empty() { "it died while starting" } else { &text });
    ExitCode::FAILURE
}

fn detach(keep_output: bool) -> io::Result<()> {
    std::env::set_current_dir("/")?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let last = if keep_output { 0 } else { 2 };
    for fd in 0..=last {
        // SAFETY: the standard descriptors may be replaced at any time.
        cvt(unsafe { libc::dup2(null.as_raw_fd(), fd) } as isize)?;
    }
    Ok(())
}
