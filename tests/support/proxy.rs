//! A proxy that breaks things: one HTTP exchange per connection, and for each of them a seeded die says what goes wrong.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{
    RngExt, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom, SliceRandom},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// What can go wrong with one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It takes up to half a second longer.
    Delay,
    /// The connection is cut before the request is passed on.
    CutBefore,
    /// The request is carried out, and the connection cut before the answer.
    CutAfter,
    /// The request is carried out, and its answer cut in the middle.
    HalfAnswer,
    /// The request is carried out, and answered when nobody waits any more.
    Late,
    /// A proxy's or Odoo's own refusal, before or after the request was carried out.
    Busy {
        status: u16,
        /// Seconds of `Retry-After`.
        retry_after: Option<u8>,
    },
    /// A login page, as a captive portal has one.
    Html,
    /// The right beginning, then noise.
    Garbage,
    /// 200 MB.
    Huge,
}

impl Fault {
    /// Each of them.
    pub const ALL: [Fault; 13] = [
        Fault::Delay,
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::HalfAnswer,
        Fault::Late,
        Fault::Busy { status: 502, retry_after: None },
        Fault::Busy { status: 503, retry_after: None },
        Fault::Busy { status: 503, retry_after: Some(1) },
        Fault::Busy { status: 429, retry_after: None },
        Fault::Busy { status: 429, retry_after: Some(1) },
        Fault::Html,
        Fault::Garbage,
        Fault::Huge,
    ];
}

const HUGE: usize = 200_000_000;
const CHUNK: usize = 64 * 1024;

/// A running proxy; it stops when it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    task: AbortHandle,
}

struct Plan {
    dice: StdRng,
    /// Of each exchange.
    probability: f64,
    faults: Vec<Fault>,
    /// Those that have not had their turn: each comes once before one comes again.
    deck: Vec<Fault>,
    /// How long the other side waits for an answer.
    patience: Duration,
    done: BTreeMap<Fault, u64>,
}

/// What the dice said about one exchange.
struct Throw {
    fault: Option<Fault>,
    wait: Duration,
    /// Whether the other side sees the request before the fault, where that is open.
    passed_on: bool,
    /// Whether the answer says how long it is.
    sized: bool,
    patience: Duration,
    noise: Vec<u8>,
}

impl Proxy {
    /// Passes everything on to `upstream`, whose callers wait for `patience`.
    pub async fn start(upstream: String, seed: u64, patience: Duration) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let plan = Plan {
            dice: StdRng::seed_from_u64(seed),
            probability: 0.0,
            faults: Fault::ALL.to_vec(),
            deck: Vec::new(),
            patience,
            done: BTreeMap::new(),
        };
        let plan = Arc::new(Mutex::new(plan));
        let throws = Arc::clone(&plan);
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let throw = throws.lock().unwrap_or_else(PoisonError::into_inner).throw();
                let upstream = upstream.clone();
                // Broken connections are what this is for.
                tokio::spawn(async move { exchange(client, &upstream, throw).await.ok() });
            }
        });
        Proxy { address, plan, task: task.abort_handle() }
    }

    /// From now on, one of these faults happens to this part of the exchanges.
    pub fn break_some(&self, probability: f64, faults: &[Fault]) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.probability = probability;
        plan.faults = faults.to_vec();
        plan.deck.retain(|fault| faults.contains(fault));
    }

    /// What has gone wrong so far, and how often.
    pub fn done(&self) -> BTreeMap<Fault, u64> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).done.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Plan {
    fn throw(&mut self) -> Throw {
        let broken = self.dice.random_bool(self.probability);
        if broken && self.deck.is_empty() {
            self.deck.clone_from(&self.faults);
            self.deck.shuffle(&mut self.dice);
        }
        let fault = if broken { self.deck.pop() } else { None };
        let throw = Throw {
            fault,
            wait: Duration::from_millis(self.dice.random_range(20..500)),
            passed_on: self.dice.random(),
            sized: self.dice.random(),
            patience: self.patience,
            noise: (0..64).map(|_| *b"<>&\"\0\xff{}[]\\ax".choose(&mut self.dice).expect("some")).collect(),
        };
        if let Some(fault) = throw.fault {
            *self.done.entry(fault).or_default() += 1;
        }
        throw
    }
}

async fn exchange(mut client: TcpStream, upstream: &str, throw: Throw) -> io::Result<()> {
    let request = read_request(&mut client).await?;
    let json = request.starts_with(b"POST /json/");
    let pass_on = async || -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(upstream).await?;
        server.write_all(&request).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        Ok(answer)
    };
    match throw.fault {
        None => client.write_all(&pass_on().await?).await,
        Some(Fault::Delay) => {
            tokio::time::sleep(throw.wait).await;
            client.write_all(&pass_on().await?).await
        }
        Some(Fault::CutBefore) => Ok(()),
        Some(Fault::CutAfter) => pass_on().await.map(drop),
        Some(Fault::HalfAnswer) => {
            let answer = pass_on().await?;
            client.write_all(&answer[..answer.len() / 2]).await
        }
        Some(Fault::Late) => {
            let answer = pass_on().await?;
            tokio::time::sleep(throw.patience + throw.wait).await;
            client.write_all(&answer).await
        }
        Some(Fault::Busy { status, retry_after }) => {
            if throw.passed_on {
                pass_on().await?;
            }
            let retry_after = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
            let answer =
                format!("HTTP/1.1 {status} Broken\r\n{retry_after}Content-Length: 0\r\nConnection: close\r\n\r\n");
            client.write_all(answer.as_bytes()).await
        }
        Some(Fault::Html) => {
            let page = "<!DOCTYPE html><html><head><title>Log in</title></head><body><br>Welcome</body></html>";
            client.write_all(&[head("text/html", Some(page.len())).as_bytes(), page.as_bytes()].concat()).await
        }
        Some(Fault::Garbage) => {
            let body = [beginning(json), &throw.noise].concat();
            client.write_all(&[head("text/xml", Some(body.len())).as_bytes(), &body].concat()).await
        }
        Some(Fault::Huge) => {
            client.write_all(head("text/xml", throw.sized.then_some(HUGE)).as_bytes()).await?;
            client.write_all(beginning(json)).await?;
            let chunk = vec![b'a'; CHUNK];
            let mut left = HUGE - beginning(json).len();
            while left > 0 {
                let part = left.min(CHUNK);
                client.write_all(&chunk[..part]).await?;
                left -= part;
            }
            Ok(())
        }
    }
}

fn head(kind: &str, length: Option<usize>) -> String {
    let length = length.map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{length}Connection: close\r\n\r\n")
}

/// Of an answer that is read on for as long as it may be good.
fn beginning(json: bool) -> &'static [u8] {
    if json { b"\"" } else { b"<?xml version='1.0'?><methodResponse><params><param><value><string>" }
}

/// Reads one request, and asks for the connection to be closed after its answer.
async fn read_request(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let value = |line: &str, name: &str| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    let length = head.lines().find_map(|line| value(line, "content-length")?.parse::<usize>().ok()).unwrap_or_default();
    while read.len() < end + length {
        if client.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut request: String = head
        .trim_end()
        .lines()
        .filter(|line| value(line, "connection").is_none())
        .map(|line| format!("{line}\r\n"))
        .collect();
    request.push_str("Connection: close\r\n\r\n");
    Ok([request.as_bytes(), &read[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that counts what it gets and answers each with a page of 1,000 bytes.
    async fn upstream() -> (String, Arc<Mutex<usize>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let seen = Arc::new(Mutex::new(0));
        let counter = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let request = read_request(&mut client).await.expect("a request");
                assert!(request.ends_with(b"a body"), "{}", String::from_utf8_lossy(&request));
                *counter.lock().expect("free") += 1;
                let answer = [head("text/xml", Some(1_000)).into_bytes(), vec![b'x'; 1_000]].concat();
                client.write_all(&answer).await.expect("answered");
            }
        });
        (address, seen)
    }

    async fn post(http: &reqwest::Client, address: SocketAddr) -> reqwest::Result<(u16, usize)> {
        let request = http.post(format!("http://{address}/xmlrpc/2")).body("a body").timeout(Duration::from_secs(5));
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.bytes().await?.len()))
    }

    #[tokio::test]
    async fn each_fault_is_what_it_says() {
        let http = g_assistant::net::client(&"http://127.0.0.1".parse().expect("a URL")).expect("a client");
        for fault in Fault::ALL {
            let (address, seen) = upstream().await;
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let proxy = listener.local_addr().expect("an address");
            tokio::spawn(async move {
                let (client, _) = listener.accept().await.expect("a client");
                let throw = Throw {
                    fault: Some(fault),
                    wait: Duration::from_millis(1),
                    passed_on: true,
                    sized: false,
                    patience: Duration::from_secs(6),
                    noise: vec![0xff; 64],
                };
                exchange(client, &address, throw).await
            });
            let answer = post(&http, proxy).await;
            let (expected, carried_out) = match fault {
                Fault::Delay => (Some((200, 1_000)), 1),
                Fault::CutBefore => (None, 0),
                Fault::CutAfter | Fault::HalfAnswer | Fault::Late => (None, 1),
                Fault::Busy { status, .. } => (Some((status, 0)), 1),
                Fault::Html | Fault::Garbage => (answer.as_ref().ok().copied().filter(|(status, _)| *status == 200), 0),
                Fault::Huge => (Some((200, HUGE)), 0),
            };
            assert_eq!(answer.as_ref().ok(), expected.as_ref(), "{fault:?}: {answer:?}");
            assert_eq!(*seen.lock().expect("free"), carried_out, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn the_same_seed_throws_the_same() {
        let throws = |seed| {
            let dice = StdRng::seed_from_u64(seed);
            let faults = Fault::ALL.to_vec();
            let mut plan = Plan {
                dice,
                probability: 0.5,
                faults,
                deck: Vec::new(),
                patience: Duration::ZERO,
                done: BTreeMap::new(),
            };
            (0..50).map(|_| plan.throw().fault).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
    }

    #[tokio::test]
    async fn without_faults_it_is_not_noticed() {
        let (address, seen) = upstream().await;
        let proxy = Proxy::start(address, 1, Duration::ZERO).await;
        let http = g_assistant::net::client(&"http://127.0.0.1".parse().expect("a URL")).expect("a client");
        for _ in 0..20 {
            assert_eq!(post(&http, proxy.address).await.expect("answered"), (200, 1_000));
        }
        assert_eq!((*seen.lock().expect("free"), proxy.done().len()), (20, 0));
        proxy.break_some(1.0, &Fault::ALL);
        let _ = post(&http, proxy.address).await;
        assert_eq!(proxy.done().values().sum::<u64>(), 1);
    }
}
