//! A small HTTP/1.1 server that keeps connections open and remembers every request.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Which connection it came over, counted from zero.
    pub(super) connection: usize,
    /// Request line and headers.
    pub(super) head: String,
}

/// What is sent back, byte by byte; empty: nothing, ever; [`HANG_UP`]: the connection ends.
pub(super) type Reply = Vec<u8>;

pub(super) const HANG_UP: &[u8] = b"hang up";

type Replies = Box<dyn FnMut(&Seen) -> Reply + Send>;

pub(super) struct Server {
    pub(super) origin: String,
    shared: Arc<Shared>,
}

struct Shared {
    seen: Mutex<Vec<Seen>>,
    replies: Mutex<Replies>,
}

// === impl Server ===

impl Server {
    pub(super) async fn start(replies: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            replies: Mutex::new(Box::new(replies)),
        });
        let server = Self {
            origin,
            shared: Arc::clone(&shared),
        };
        tokio::spawn(async move {
            let mut connections = 0;
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, connections, Arc::clone(&shared)));
                connections += 1;
            }
        });
        server
    }

    /// From now on it answers so.
    pub(super) fn replies(&self, replies: impl FnMut(&Seen) -> Reply + Send + 'static) {
        *lock(&self.shared.replies) = Box::new(replies);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// Waits until so many more requests have come.
    pub(super) async fn more(&self, count: usize) {
        let goal = self.seen().len() + count;
        let reached = async {
            while self.seen().len() < goal {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(waited.is_ok(), "only {} requests came", self.seen().len());
    }
}

// === impl Seen ===

impl Seen {
    /// The value of a header, whose name is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

async fn serve(mut stream: TcpStream, connection: usize, shared: Arc<Shared>) {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes.drain(..end);
        let seen = Seen { connection, head };
        let reply = lock(&shared.replies)(&seen);
        lock(&shared.seen).push(seen);
        if reply == HANG_UP {
            return;
        }
        if reply.is_empty() {
            // Keeps the connection, and says nothing.
            return std::future::pending().await;
        }
        if stream.write_all(&reply).await.is_err() {
            return;
        }
        let head = String::from_utf8_lossy(&reply[..reply.len().min(1024)]).to_ascii_lowercase();
        if head.contains("connection: close") {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer with these lines and a body of a known length.
pub(super) fn reply(head: &str, body: &[u8]) -> Reply {
    let mut bytes =
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A list of one group with these addresses.
pub(super) fn list(addresses: &[&str]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!([{ "targets": addresses }])).unwrap()
}

pub(super) fn json(body: &[u8]) -> Reply {
    reply("200 OK\r\ncontent-type: application/json", body)
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
