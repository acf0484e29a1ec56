//! Connections: plain or TLS, HTTP/1.1 or HTTP/2, numbered, and the ways in which they end badly.

use std::collections::BTreeMap;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use super::{Shared, answer};

/// The connection that a request came over.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Counts from 1.
    pub(crate) number: u64,
    /// The client's certificates, its own first; not yet verified.
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
    control: Control,
}

/// All connections that are open and answer.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: Mutex<BTreeMap<u64, Control>>,
    last: AtomicU64,
    /// Ends what is left of half-open connections, with the server itself.
    ended: CancellationToken,
}

/// What can be done to a connection from outside.
#[derive(Clone, Debug, Default)]
struct Control {
    cut: CancellationToken,
    freeze: CancellationToken,
    drain: CancellationToken,
}

/// A socket that several hold, so that it stays open when HTTP lets go of it.
struct Socket(Arc<TcpStream>);

/// Takes a connection off the list of open ones.
struct Open<'a>(&'a Connections, u64);

/// Accepts connections until `stop`, then cuts them all.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let Ok((stream, _)) = accepted else { continue };
        // Events are small and must not wait for company.
        let _ = stream.set_nodelay(true);
        tasks.spawn(hold(stream, shared.clone()));
    }
    tasks.shutdown().await;
}

/// One connection from its beginning to its end.
async fn hold(stream: TcpStream, shared: Arc<Shared>) {
    let stream = Arc::new(stream);
    let connections = &shared.connections;
    let number = connections.last.fetch_add(1, Ordering::Relaxed) + 1;
    let control = Control::default();
    connections.open().insert(number, control.clone());
    let _open = Open(connections, number);
    tokio::select! {
        // Clients come and go; a connection that breaks is not worth a message.
        _ = speak(Socket(stream.clone()), &shared, number, control.clone()) => {}
        () = control.cut.cancelled() => {}
        () = control.freeze.cancelled() => {
            // Outlives a restart of the server, which such a client does not learn of.
            tokio::spawn(swallow(stream, connections.ended.clone()));
        }
    }
}

async fn speak(
    socket: Socket,
    shared: &Arc<Shared>,
    number: u64,
    control: Control,
) -> io::Result<()> {
    let mut connection = Connection {
        number,
        certificates: Arc::from([]),
        control,
    };
    let Some(config) = shared.tls() else {
        return http(socket, shared, connection).await;
    };
    let stream = TlsAcceptor::from(config).accept(socket).await?;
    if let Some(given) = stream.get_ref().1.peer_certificates() {
        connection.certificates = given.iter().map(|c| c.clone().into_owned()).collect();
    }
    http(stream, shared, connection).await
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    shared: &Arc<Shared>,
    connection: Connection,
) -> io::Result<()> {
    let drain = connection.control.drain.clone();
    let shared = shared.clone();
    let limit = shared.settings.max_concurrent_streams;
    let http2 = shared.settings.http2;
    let service = hyper::service::service_fn(move |request| {
        answer(shared.clone(), connection.clone(), request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(limit);
    if !http2 {
        builder = builder.http1_only();
    }
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = drain.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    result.map_err(io::Error::other)
}

/// Reads and forgets, and never answers, as when a firewall has forgotten the connection. Ends when the
/// client does.
async fn swallow(stream: Arc<TcpStream>, ended: CancellationToken) {
    let mut scratch = vec![0; 4096];
    loop {
        tokio::select! {
            ready = stream.ready(Interest::READABLE) => {
                if ready.is_err() {
                    return;
                }
            }
            () = ended.cancelled() => return,
        }
        match stream.try_read(&mut scratch) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

// === impl Connection ===

impl Connection {
    /// Cuts it, with all that is under way on it.
    pub(super) fn cut(&self) {
        self.control.cut.cancel();
    }
}

// === impl Connections ===

impl Connections {
    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Control>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self) -> usize {
        self.open().len()
    }

    /// From now on they neither answer nor close.
    pub(crate) fn freeze(&self) -> usize {
        self.each(|control| control.freeze.cancel())
    }

    pub(crate) fn cut(&self) -> usize {
        self.each(|control| control.cut.cancel())
    }

    /// Lets what is under way finish, and takes nothing more.
    pub(crate) fn drain(&self) -> usize {
        self.each(|control| control.drain.cancel())
    }

    /// Closes half-open connections as well.
    pub(crate) fn end(&self) {
        self.ended.cancel();
    }

    fn each(&self, act: impl Fn(&Control)) -> usize {
        let open = self.open();
        open.values().for_each(act);
        open.len()
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open().remove(&self.1);
    }
}

// === impl Socket ===

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The socket closes when the last who holds it lets go.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
