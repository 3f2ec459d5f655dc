//! Listens, guards the connections, and stops in order.
//!
//! 1. [`serve`] binds first, so that a taken port is an error at the start, then accepts in the background.
//! 2. Each connection holds one of `max_connections` permits and, unless it is a trusted proxy's, one of its client's
//!    `max_connections_per_ip`; beyond them it is answered 503 and closed, so that nobody can use up the process's file
//!    descriptors, and no client all permits.
//! 3. Headers must come within `header_timeout`: drip-fed ones would hold a connection for ever. So must the next
//!    request: a connection is not idle for longer.
//! 4. An answer must be read within `request_timeout`: the kernel ends a connection that takes nothing.
//! 5. When `stop` is cancelled: no new connections, requests in flight get a little time to finish.

use std::{
    collections::HashMap,
    future::{Ready, ready},
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Extension, http::StatusCode, middleware::AddExtension};
use axum_server::{Handle, accept::Accept};
use hyper_util::rt::TokioTimer;
use socket2::SockRef;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::Layer;

use super::{
    AppState,
    client::{Client, Proxies},
    context,
    error::ApiError,
    router,
};
use crate::{config::Server, telemetry::Metrics};

/// How long requests in flight may take after `stop`: less than the whole daemon has, which must still close the store.
const GRACE: Duration = Duration::from_secs(10);
/// More than the headers of any webhook need.
const MAX_HEADERS: usize = 64 * 1024;

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
    let cap = Cap(Arc::new(Places::new(config, Arc::clone(&state.metrics))));
    let mut server = axum_server::from_tcp(listener).map_err(failed)?.acceptor(cap).handle(handle.clone()).http1_only();
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(MAX_HEADERS);
    let context = context(config, state);
    let service = router(Arc::clone(&context)).into_make_service();
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
            () = context.limits.keep_small() => {}
        }
    });
    Ok((address, task))
}

/// The places for connections.
struct Places {
    all: Arc<Semaphore>,
    /// How many connections each client has. A client without any is not in here.
    taken: Mutex<HashMap<Client, usize>>,
    per_client: usize,
    proxies: Proxies,
    unread: Duration,
    metrics: Arc<Metrics>,
}

/// One connection; its service carries it, and so gives its place back when it ends.
pub(super) struct Connection {
    /// The other end.
    pub(super) peer: IpAddr,
    client: Option<Client>,
    places: Arc<Places>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    fn new(config: &Server, metrics: Arc<Metrics>) -> Self {
        Self {
            all: Arc::new(Semaphore::new(config.max_connections)),
            taken: Mutex::default(),
            per_client: config.max_connections_per_ip,
            proxies: Proxies::new(config.trusted_proxies.clone()),
            unread: config.request_timeout,
            metrics,
        }
    }

    /// A place for a connection, or the code and message of why there is none.
    fn take(self: Arc<Self>, peer: IpAddr) -> Result<Connection, (&'static str, &'static str)> {
        let permit = Arc::clone(&self.all).try_acquire_owned();
        let permit = permit.map_err(|_| ("too_many_connections", "too many connections"))?;
        let client = self.proxies.direct(peer);
        if let Some(client) = client {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let count = taken.entry(client).or_default();
            if *count >= self.per_client {
                return Err(("too_many_connections_of_client", "too many connections from this address"));
            }
            *count += 1;
        }
        Ok(Connection { peer, client, places: self, _permit: permit })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&client);
            }
        }
    }
}

/// Gives each connection a place, or turns it away.
#[derive(Clone)]
struct Cap(Arc<Places>);

impl<S> Accept<TcpStream, S> for Cap {
    type Stream = TcpStream;
    type Service = AddExtension<S, Arc<Connection>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.admit(&stream).map(|connection| (stream, Extension(Arc::new(connection)).layer(service))))
    }
}

impl Cap {
    fn admit(&self, stream: &TcpStream) -> io::Result<Connection> {
        let connection = Arc::clone(&self.0).take(stream.peer_addr()?.ip()).map_err(|(code, message)| {
            self.0.metrics.turned_away(code);
            // A courtesy: the connection is closed whether or not this can be written at once.
            stream.try_write(&turned_away(code, message)).ok();
            io::Error::other(message)
        })?;
        // Answers are small and complete: waiting to fill packets only delays them.
        stream.set_nodelay(true)?;
        SockRef::from(stream).set_tcp_user_timeout(Some(self.0.unread))?;
        Ok(connection)
    }
}

/// A whole answer to a connection that gets no place.
fn turned_away(code: &'static str, message: &str) -> Vec<u8> {
    let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message, "try again in a few seconds");
    let body = error.body().to_string();
    let head =
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-type: application/json\r\nconnection: close";
    format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
