//! Listens, guards the connections, and stops in order.
//!
//! 1. [`serve`] binds first, so that a taken port is an error at the start, then accepts in the background.
//! 2. Each connection holds one of `max_connections` permits; beyond them it is answered 503 and closed, so that nobody
//!    can use up the process's file descriptors.
//! 3. Headers must come within `header_timeout`: drip-fed ones would hold a connection for ever.
//! 4. When `stop` is cancelled: no new connections, requests in flight get a little time to finish.

use std::{
    future::{Ready, ready},
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum::{Extension, middleware::AddExtension};
use axum_server::{Handle, accept::Accept};
use hyper_util::rt::TokioTimer;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::Layer;

use super::{AppState, router};
use crate::config::Server;

/// How long requests in flight may take after `stop`: less than the whole daemon has, which must still close the store.
const GRACE: Duration = Duration::from_secs(10);
/// More than the headers of any webhook need.
const MAX_HEADERS: usize = 64 * 1024;

const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// The server cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}; `server.listen` sets the address and port")]
pub struct ServeError {
    /// The configured address.
    pub address: SocketAddr,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// Binds to `config.listen` and serves until `stop` is cancelled. Returns the bound address and the task, which ends
/// when the last request has been answered.
pub fn serve(
    config: &Server,
    state: AppState,
    stop: CancellationToken,
) -> Result<(SocketAddr, JoinHandle<()>), ServeError> {
    let failed = |cause| ServeError { address: config.listen, cause };
    let listener = TcpListener::bind(config.listen).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let handle = Handle::new();
    let cap = Cap(Arc::new(Semaphore::new(config.max_connections)));
    let mut server = axum_server::from_tcp(listener).map_err(failed)?.acceptor(cap).handle(handle.clone()).http1_only();
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(MAX_HEADERS);
    let service = router(config, state).into_make_service();
    let grace = config.request_timeout.min(GRACE);
    let task = tokio::spawn(async move {
        let stopping = async {
            stop.cancelled().await;
            handle.graceful_shutdown(Some(grace));
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = server.serve(service) => {
                if let Err(error) = result {
                    tracing::error!(%error, "the web server ended");
                }
            }
            () = stopping => {}
        }
    });
    Ok((address, task))
}

/// Gives each connection a permit, which its service carries and so returns when the connection ends.
#[derive(Clone)]
struct Cap(Arc<Semaphore>);

impl<S> Accept<TcpStream, S> for Cap {
    type Stream = TcpStream;
    type Service = AddExtension<S, Arc<OwnedSemaphorePermit>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(match Arc::clone(&self.0).try_acquire_owned() {
            Ok(permit) => {
                // Answers are small and complete: waiting to fill packets only delays them.
                stream.set_nodelay(true).map(|()| (stream, Extension(Arc::new(permit)).layer(service)))
            }
            Err(_) => {
                // A courtesy: the connection is closed whether or not this can be written at once.
                stream.try_write(FULL).ok();
                Err(io::Error::other("too many connections"))
            }
        })
    }
}
