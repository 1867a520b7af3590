//! Real clients on real sockets, in a folder of each test's own.
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::super::server::serve_in;
use super::super::*;

const LONG: Duration = Duration::from_secs(60);

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("slopn-uapi-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    fn socket(&self) -> PathBuf {
        self.0.join("wg9.sock")
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        read_answer(&mut stream)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read_answer(stream: &mut UnixStream) -> String {
    read_answers(stream, 1)
}

/// Reads until `count` answers are complete, or the end.
fn read_answers(stream: &mut UnixStream, count: usize) -> String {
    let mut answers = String::new();
    let mut chunk = [0; 65536];
    while answers.matches("errno=").count() < count || !answers.ends_with("\n\n") {
        match stream.read(&mut chunk).unwrap() {
            0 => break,
            n => answers.push_str(std::str::from_utf8(&chunk[..n]).unwrap()),
        }
    }
    answers
}

/// Keeps what it was told; refuses port 1 with EADDRINUSE.
#[derive(Default)]
struct Fake {
    state: Mutex<DeviceState>,
}

impl Device for Fake {
    fn get(&self) -> DeviceState {
        self.state.lock().unwrap().clone()
    }

    fn set(&self, request: SetRequest) -> Result<(), i32> {
        match request.listen_port {
            Some(1) => Err(libc::EADDRINUSE),
            port => {
                self.state.lock().unwrap().listen_port = port.unwrap_or(0);
                Ok(())
            }
        }
    }
}

fn start(folder: &Folder, patience: Duration) -> (Server, Arc<Fake>, mpsc::Receiver<()>) {
    let device = Arc::new(Fake::default());
    let (tell, removed) = mpsc::channel();
    let server = serve_in(&folder.0, "wg9", device.clone(), patience, move || tell.send(()).unwrap()).unwrap();
    (server, device, removed)
}

/// Get and set, answers in order on one connection, errno from the device and from the parser.
#[test]
fn answers() {
    let folder = Folder::new();
    let (_server, device, _) = start(&folder, LONG);
    assert_eq!(folder.ask("get=1\n\n"), "errno=0\n\n");
    let mut stream = folder.connect();
    stream.write_all(b"set=1\nlisten_port=5\n\nset=1\nlisten_port=1\n\nset=1\nlisten_port=6\nx\n\nget=1\n\n").unwrap();
    let expected = ["errno=0\n\n", &errno(libc::EADDRINUSE), "errno=-22\n\n", "listen_port=5\nerrno=0\n\n"].concat();
    assert_eq!(read_answers(&mut stream, 4), expected);
    assert_eq!(device.get().listen_port, 5);
}

/// The folder is for root alone, and so is the socket.
#[test]
fn modes() {
    let folder = Folder::new();
    fs::create_dir(&folder.0).unwrap();
    fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).unwrap();
    let (server, ..) = start(&folder, LONG);
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&folder.0), mode(&folder.socket())), (0o700, 0o600));
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing but the socket is left");
    drop(server);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0, "nor that, at the end");
}

/// A socket that nobody answers on is replaced; one that somebody answers on is not, nor is a file.
#[test]
fn stale_and_alive() {
    let folder = Folder::new();
    fs::create_dir(&folder.0).unwrap();
    drop(UnixListener::bind(folder.socket()).unwrap());
    let (server, ..) = start(&folder, LONG);
    assert_eq!(folder.ask("get=1\n\n"), "errno=0\n\n");
    let second = serve_in(&folder.0, "wg9", Arc::new(Fake::default()), LONG, || ());
    assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(folder.ask("get=1\n\n"), "errno=0\n\n", "the first one still answers");
    drop(server);
    fs::write(folder.socket(), "a file").unwrap();
    let third = serve_in(&folder.0, "wg9", Arc::new(Fake::default()), LONG, || ());
    assert_eq!(third.unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(fs::read(folder.socket()).unwrap(), b"a file");
    for name in ["", "a/b", "/x"] {
        let refused = serve_in(&folder.0, name, Arc::new(Fake::default()), LONG, || ());
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}

/// Taking the socket away is told to the caller; so is putting another in its place, which stays.
#[test]
fn removal() {
    for replace in [false, true] {
        let folder = Folder::new();
        let (_server, _, removed) = start(&folder, LONG);
        assert_eq!(folder.ask("get=1\n\n"), "errno=0\n\n");
        assert!(removed.try_recv().is_err());
        if replace {
            let other = folder.0.join("other");
            fs::write(&other, "").unwrap();
            fs::rename(&other, folder.socket()).unwrap();
        } else {
            fs::remove_file(folder.socket()).unwrap();
        }
        removed.recv_timeout(LONG).unwrap();
        assert_eq!(folder.socket().exists(), replace);
    }
}

/// The end by the caller isn't a removal.
#[test]
fn stop_is_silent() {
    let folder = Folder::new();
    let (server, _, removed) = start(&folder, LONG);
    let mut idle = folder.connect();
    idle.write_all(b"get=1\n\n").unwrap();
    read_answer(&mut idle);
    drop(server);
    assert_eq!(removed.recv(), Err(mpsc::RecvError));
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
}

/// Clients that send half a request, or don't read, hold up nobody.
#[test]
fn stuck_clients() {
    let folder = Folder::new();
    let (_server, device, _) = start(&folder, LONG);
    device.state.lock().unwrap().peers = vec![PeerState::default(); 5000];
    let mut half = folder.connect();
    half.write_all(b"set=1\nlisten_port=77\n").unwrap();
    let mut deaf = folder.connect();
    deaf.write_all(b"get=1\n\n").unwrap();
    for _ in 0..3 {
        assert!(folder.ask("get=1\n\n").ends_with("errno=0\n\n"));
    }
    assert!(read_answer(&mut deaf).len() > 1 << 20, "and are answered in the end");
    half.shutdown(Shutdown::Both).unwrap();
    folder.ask("get=1\n\n");
    assert_eq!(device.get().listen_port, 0, "half a request is none");
}

/// A client that neither sends nor reads is let go.
#[test]
fn patience_ends() {
    let folder = Folder::new();
    let (_server, ..) = start(&folder, Duration::from_millis(50));
    let mut idle = folder.connect();
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    assert_eq!(folder.ask("get=1\n\n"), "errno=0\n\n");
}

/// More clients than are served at a time: the rest wait their turn.
#[test]
fn many_clients() {
    let folder = Folder::new();
    let (_server, ..) = start(&folder, LONG);
    let mut clients: Vec<_> = (0..40).map(|_| folder.connect()).collect();
    while let Some(mut client) = clients.drain(..clients.len().min(1)).next() {
        client.write_all(b"get=1\n\n").unwrap();
        assert_eq!(read_answer(&mut client), "errno=0\n\n");
    }
}

/// A line without end is answered with EINVAL and the connection closed.
#[test]
fn endless_line() {
    let folder = Folder::new();
    let (_server, ..) = start(&folder, LONG);
    let mut stream = folder.connect();
    stream.write_all(&[b'x'; 300]).unwrap();
    assert_eq!(read_answer(&mut stream), "errno=-22\n\n");
    let rest = stream.read(&mut [0]);
    assert!(rest.is_ok_and(|count| count == 0), "closed");
}
