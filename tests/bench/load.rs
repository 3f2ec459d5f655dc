//! A load generator that costs little, since it shares the cores with what it measures.
//!
//! Requests are signed and written out beforehand; one thread drives all connections, and each connection sends its
//! next request when the answer to the last one is complete.

use std::{
    cell::{Cell, RefCell},
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use g_assistant::sources::standard_webhooks::Key;
use serde::Serialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
};

use crate::{daemon::WEBSITE_SECRET, leads};

/// Requests, ready to be sent.
pub type Requests = Arc<Vec<Vec<u8>>>;

/// Webhooks of `count` different leads, signed now.
pub fn signed(run: &str, count: usize) -> Requests {
    let key = Key::parse(WEBSITE_SECRET).expect("a good secret");
    let now = Utc::now();
    let request = |n| {
        let body = leads::body(&leads::lead(run, n));
        let id = format!("{run}-{n}");
        let signature = key.sign(&id, now, &body);
        let mut request = format!(
            "POST /api/webhooks/website HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             webhook-id: {id}\r\nwebhook-timestamp: {}\r\nwebhook-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
            now.timestamp(),
            body.len()
        )
        .into_bytes();
        request.extend(body);
        request
    };
    Arc::new((0..count).map(request).collect())
}

/// The same leads for any other path, unsigned and on a connection each, as Odoo answers.
pub fn unsigned(path: &str, run: &str, count: usize) -> Requests {
    let request = |n| {
        let body = leads::lead(run, n).to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body.into_bytes()].concat()
    };
    Arc::new((0..count).map(request).collect())
}

/// What to do with them.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub address: SocketAddr,
    pub connections: usize,
    /// At most so long; shorter if the requests run out.
    pub time: Duration,
    /// The status that each answer must have.
    pub status: u16,
    /// Whether connections live on.
    pub keep_alive: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Load {
    pub connections: usize,
    pub answered: usize,
    pub seconds: f64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// Connections that the server closed before it answered; the request was sent again on another.
    pub broken: usize,
}

/// Sends `requests` and panics if one is not answered as planned.
pub async fn run(plan: Plan, requests: Requests) -> Load {
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, drive(plan, requests))
    })
    .await
    .expect("the load generator works")
}

async fn drive(plan: Plan, requests: Requests) -> Load {
    let next = Rc::new(Cell::new(0));
    let times = Rc::new(RefCell::new(Vec::with_capacity(requests.len())));
    let broken = Rc::new(Cell::new(0));
    let mut connections = Vec::with_capacity(plan.connections);
    for number in 0..plan.connections {
        connections.push(connect(plan.address).await.expect("connected"));
        // No more at once than the kernel keeps for a server that is busy.
        if number % 64 == 63 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let began = Instant::now();
    let mut tasks = Vec::with_capacity(plan.connections);
    for mut stream in connections {
        let (next, times, broken) = (Rc::clone(&next), Rc::clone(&times), Rc::clone(&broken));
        let requests = Arc::clone(&requests);
        tasks.push(tokio::task::spawn_local(async move {
            let mut buffer = Vec::with_capacity(4096);
            while began.elapsed() < plan.time && next.get() < requests.len() {
                let request = &requests[next.replace(next.get() + 1)];
                let sent = Instant::now();
                let mut expected = vec![plan.status];
                let status = loop {
                    match exchange(&mut stream, request, &mut buffer).await {
                        Ok(status) => break status,
                        Err(_) => {
                            broken.set(broken.get() + 1);
                            // It may have arrived all the same: then it is a replay.
                            expected.push(200);
                            stream = connect(plan.address).await.expect("connected");
                        }
                    }
                };
                assert!(expected.contains(&status), "{}", String::from_utf8_lossy(&buffer));
                times.borrow_mut().push(sent.elapsed());
                if !plan.keep_alive {
                    stream = connect(plan.address).await.expect("connected");
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("a connection works");
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut times = times.take();
    assert!(broken.get() * 20 <= times.len(), "{} connections broke", broken.get());
    times.sort_unstable();
    let at = |share: f64| milliseconds(times[((times.len() - 1) as f64 * share).round() as usize]);
    Load {
        connections: plan.connections,
        answered: times.len(),
        seconds,
        per_second: times.len() as f64 / seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        max_ms: at(1.0),
        broken: broken.get(),
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One request and its whole answer, which is left in `buffer`; its status.
async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> io::Result<u16> {
    stream.write_all(request).await?;
    buffer.clear();
    let mut whole = usize::MAX;
    while buffer.len() < whole {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if whole == usize::MAX
            && let Some(head) = buffer.windows(4).position(|end| end == b"\r\n\r\n")
        {
            whole = head + 4 + content_length(&buffer[..head]);
        }
    }
    let status = buffer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()).and_then(|s| s.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    let lengths = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next().and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default()
}

pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
