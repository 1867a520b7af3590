//! The Unix socket: one thread, any number of clients, none of which can hold up another.
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use zeroize::Zeroizing;

use super::device::Device;
use super::reply::{errno, format_state};
use super::request::{Decoder, Malformed, Request};

const DIRECTORY: &str = "/var/run/wireguard";
/// How long a client may neither send nor read.
const PATIENCE: Duration = Duration::from_secs(30);
/// Clients served at a time; more wait to be accepted.
const MAX_CLIENTS: usize = 32;
/// Pause after the system refused something (interrupted, out of descriptors), so that asking again isn't a tight loop.
const BREATH: Duration = Duration::from_millis(50);

/// Ends the server and removes its socket when dropped.
#[derive(Debug)]
pub struct Server {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

/// Serves `device` on `/var/run/wireguard/INTERFACE.sock`, for root only. `removed` is called once, on the
/// server's thread, when somebody takes the socket file away: the wish that the interface ends, as wireguard-go
/// understands it.
///
/// # Errors
/// `AddrInUse` when another process answers on that socket; else whatever the file system says.
pub fn serve(interface: &str, device: Arc<dyn Device>, removed: impl FnOnce() + Send + 'static) -> io::Result<Server> {
    serve_in(Path::new(DIRECTORY), interface, device, PATIENCE, removed)
}

pub(super) fn serve_in(
    directory: &Path,
    interface: &str,
    device: Arc<dyn Device>,
    patience: Duration,
    removed: impl FnOnce() + Send + 'static,
) -> io::Result<Server> {
    let (socket, listener) = bind(directory, interface)?;
    let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let changes = AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVE | AddWatchFlags::IN_DELETE_SELF;
    watch.add_watch(directory, changes | AddWatchFlags::IN_MOVE_SELF)?;
    let stop = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
    let state = Loop { socket, listener, watch, stop: stop.clone(), device, patience, clients: vec![] };
    let run = move || {
        if state.run() == End::Removed {
            removed();
        }
    };
    let thread = std::thread::Builder::new().name("wg-uapi".into()).spawn(run)?;
    Ok(Server { stop, thread: Some(thread) })
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.write(1);
        // `removed` may drop the server itself: a thread can't wait for its own end.
        if let Some(thread) = self.thread.take_if(|thread| thread.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}

/// Our socket file, by what it is and not only by its name; removed when dropped.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl SocketFile {
    fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Nobody but root can connect at any time: the socket gets its mode in a folder of its own and is then moved to
/// its place, over a stale one.
fn bind(directory: &Path, interface: &str) -> io::Result<(SocketFile, UnixListener)> {
    if interface.is_empty() || interface.contains('/') {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not the name of an interface"));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    let path = directory.join(format!("{interface}.sock"));
    refuse_if_alive(&path)?;
    let private = directory.join(format!(".{interface}.{}", std::process::id()));
    let _ = fs::remove_dir_all(&private); // left by a killed process of the same number
    DirBuilder::new().mode(0o700).create(&private)?;
    let made = (|| {
        let first = private.join("s");
        let listener = UnixListener::bind(&first)?;
        fs::set_permissions(&first, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let found = fs::symlink_metadata(&first)?;
        fs::rename(&first, &path)?;
        Ok((SocketFile { path, identity: (found.dev(), found.ino()) }, listener))
    })();
    let _ = fs::remove_dir_all(&private);
    made
}

fn refuse_if_alive(path: &Path) -> io::Result<()> {
    let in_use = |what: &str| Err(io::Error::new(ErrorKind::AddrInUse, format!("{}: {what}", path.display())));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => return in_use("is no socket"),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => in_use("another process answers"),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

struct Loop {
    socket: SocketFile,
    listener: UnixListener,
    watch: Inotify,
    stop: Arc<EventFd>,
    device: Arc<dyn Device>,
    patience: Duration,
    clients: Vec<Client>,
}

#[derive(PartialEq)]
enum End {
    Stopped,
    Removed,
}

impl Loop {
    fn run(mut self) -> End {
        while self.socket.is_there() {
            let Ok(ready) = self.wait() else {
                std::thread::sleep(BREATH);
                continue;
            };
            if ready.stop {
                return End::Stopped;
            }
            while self.watch.read_events().is_ok_and(|events| !events.is_empty()) {}
            let now = Instant::now();
            for (client, ready) in self.clients.iter_mut().zip(ready.clients) {
                if ready {
                    client.turn(&*self.device, now + self.patience);
                }
            }
            self.clients.retain(|client| !client.gone && client.deadline > now);
            if ready.listener {
                self.accept(now + self.patience);
            }
        }
        End::Removed
    }

    fn accept(&mut self, deadline: Instant) {
        match self.listener.accept() {
            Ok((stream, _)) if stream.set_nonblocking(true).is_ok() => self.clients.push(Client::new(stream, deadline)),
            Err(error) if error.kind() != ErrorKind::WouldBlock => std::thread::sleep(BREATH),
            _ => {}
        }
    }

    fn wait(&self) -> nix::Result<Ready> {
        let watched = |client: &Client| if client.output.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLOUT };
        let room = if self.clients.len() < MAX_CLIENTS { PollFlags::POLLIN } else { PollFlags::empty() };
        let mut fds = vec![
            PollFd::new(self.stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.watch.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), room),
        ];
        fds.extend(self.clients.iter().map(|client| PollFd::new(client.stream.as_fd(), watched(client))));
        let until = self.clients.iter().map(|client| client.deadline).min();
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        poll(&mut fds, timeout)?;
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(true));
        let mut next = || ready.next().unwrap_or(false);
        let (stop, _, listener) = (next(), next(), next());
        Ok(Ready { stop, listener, clients: ready.collect() })
    }
}

struct Ready {
    stop: bool,
    listener: bool,
    clients: Vec<bool>,
}

struct Client {
    stream: UnixStream,
    decoder: Decoder,
    /// What is still to be written; nothing more is read before it is gone.
    output: Zeroizing<Vec<u8>>,
    deadline: Instant,
    /// Close once `output` is written.
    last: bool,
    gone: bool,
}

impl Client {
    fn new(stream: UnixStream, deadline: Instant) -> Self {
        let decoder = Decoder::new(|name| nix::net::if_::if_nametoindex(name).ok());
        Self { stream, decoder, output: Zeroizing::default(), deadline, last: false, gone: false }
    }

    /// Reads and answers what can be without waiting.
    fn turn(&mut self, device: &dyn Device, deadline: Instant) {
        let moved = if self.output.is_empty() { self.read() } else { self.write() };
        match moved {
            Ok(0) => self.gone = true,
            Ok(_) => self.deadline = deadline,
            Err(error) => {
                self.gone = !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
                return;
            }
        }
        while self.output.is_empty() && !self.last && !self.gone {
            let Some(request) = self.decoder.next_request() else { return };
            self.answer(request, device);
            if self.write().is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
                self.gone = true;
            }
        }
        self.gone |= self.last && self.output.is_empty();
    }

    fn answer(&mut self, request: Result<Request, Malformed>, device: &dyn Device) {
        let code = match request {
            Ok(Request::Get) => {
                self.output.extend_from_slice(format_state(&device.get()).as_bytes());
                0
            }
            Ok(Request::Set(set)) => device.set(set).err().unwrap_or(0),
            Err(malformed) => {
                self.last = malformed == Malformed::TooLong;
                libc::EINVAL
            }
        };
        self.output.extend_from_slice(errno(code).as_bytes());
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut chunk = Zeroizing::new([0; 4096]);
        let count = self.stream.read(&mut *chunk)?;
        self.decoder.feed(&chunk[..count]);
        Ok(count)
    }

    fn write(&mut self) -> io::Result<usize> {
        let count = self.stream.write(&self.output)?;
        self.output.drain(..count);
        Ok(count)
    }
}
