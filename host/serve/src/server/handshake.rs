//! TLS on a new connection.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::otel::ClientCertificate;
use crate::web::Tls;

/// As Go's server says it, which is what people look for.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
/// For readers who have yet to take that.
const LINGER: Duration = Duration::from_secs(1);

/// The encrypted stream, with the mark of a client whose certificate was verified.
pub(super) async fn accept(
    mut stream: TcpStream,
    tls: &Tls,
) -> io::Result<(TlsStream<TcpStream>, Option<ClientCertificate>)> {
    let mut first = [0];
    // Every method is in capitals; a handshake begins with 22.
    if stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        refuse_plain(&mut stream).await?;
        return Err(io::Error::other("the client does not speak TLS"));
    }
    let acceptor = TlsAcceptor::from(std::sync::Arc::clone(&tls.config));
    let stream = acceptor.accept(stream).await?;
    let (_, session) = stream.get_ref();
    let is_verified = tls.verifies() && session.peer_certificates().is_some();
    Ok((stream, is_verified.then_some(ClientCertificate)))
}

/// Answers, and takes what the client sends: closing over unread bytes would take the answer back.
async fn refuse_plain(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP).await?;
    stream.shutdown().await?;
    let mut nowhere = tokio::io::sink();
    let rest = tokio::io::copy(stream, &mut nowhere);
    // Whoever goes on talking has been told already.
    let _ = tokio::time::timeout(LINGER, rest).await;
    Ok(())
}
