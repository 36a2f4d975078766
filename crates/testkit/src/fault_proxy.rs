//! A proxy that knows where a command and a reply end, so that it can answer in the server's
//! place, cut a reply in its middle, or lose it.
//!
//! Commands of a client are passed on one by one, each reply awaited: whatever is answered here
//! comes in its turn. Connections that become a replica's link or a subscription are passed on
//! as they are from then on; only the faults of the whole node concern them.

use anyhow::Result;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is done to those who come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every connection is ended, old and new.
    Unreachable,
    /// Connections stay open and nothing is answered.
    Silent,
    /// Each command waits so many milliseconds.
    Slow(u64),
    /// Commands get this error line (without the leading `-`) and do not reach the server.
    Says(String),
    /// The same, for commands that begin with these words only.
    Refuses(String, String),
    /// Each command has the chance of `n` in a thousand to meet one of: a reply cut in its
    /// middle, a reply that never comes though the command was carried out, a command that is
    /// lost, and bytes that are no reply.
    Lossy(u64),
}

#[derive(Default)]
struct Shared {
    dice: AtomicU64,
    /// How often something was done to a command or a connection.
    done: Mutex<HashMap<&'static str, u64>>,
}

impl Shared {
    fn note(&self, what: &'static str) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done.entry(what).or_default() += 1;
    }

    /// A number that depends on the seed and on how often it was asked for.
    fn roll(&self) -> u64 {
        let n = self
            .dice
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }
}

/// The proxy; it ends when dropped.
pub struct FaultProxy {
    port: u16,
    fault: watch::Sender<Fault>,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free port and passes on to `target`; `seed` decides where a lossy line
    /// loses.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: String, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (fault, faults) = watch::channel(Fault::None);
        let shared = Arc::new(Shared {
            dice: AtomicU64::new(seed),
            ..Shared::default()
        });
        let own = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *faults.borrow() == Fault::Unreachable {
                    own.note("connection refused");
                    continue;
                }
                let connection = Connection {
                    target: target.clone(),
                    faults: faults.clone(),
                    shared: Arc::clone(&own),
                };
                tokio::spawn(async move {
                    let mut gone = connection.faults.clone();
                    tokio::select! {
                        // A connection that breaks is what this is for.
                        _ended = connection.serve(client) => {}
                        _cut = gone.wait_for(|fault| *fault == Fault::Unreachable) => {}
                    }
                });
            }
        });
        Ok(Self {
            port,
            fault,
            shared,
            task,
        })
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// From now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// What is done now.
    pub fn fault(&self) -> Fault {
        self.fault.borrow().clone()
    }

    /// What was done so far, and how often.
    pub fn done(&self) -> HashMap<&'static str, u64> {
        let done = self.shared.done.lock();
        done.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Connection {
    target: String,
    faults: watch::Receiver<Fault>,
    shared: Arc<Shared>,
}

/// What becomes of one command.
enum Fate {
    Pass,
    Answer(String),
    CutReply,
    LoseReply,
    LoseCommand,
    Garbage,
}

impl Connection {
    async fn serve(&self, mut client: TcpStream) -> Result<()> {
        client.set_nodelay(true)?;
        let mut server = TcpStream::connect(&self.target).await?;
        server.set_nodelay(true)?;
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        loop {
            let Some(length) = whole(&mut client, &mut asked, command_length).await? else {
                return Ok(());
            };
            let command: Vec<u8> = asked.drain(..length).collect();
            let words = words(&command);
            if is_stream(&words) {
                server.write_all(&command).await?;
                server.write_all(&asked).await?;
                client.write_all(&answered).await?;
                copy_bidirectional(&mut client, &mut server).await?;
                return Ok(());
            }
            let fate = self.fate(&words).await;
            match fate {
                Fate::Answer(line) => {
                    self.shared.note("error injected");
                    client.write_all(format!("-{line}\r\n").as_bytes()).await?;
                    continue;
                }
                Fate::LoseCommand => {
                    self.shared.note("command lost");
                    return Ok(());
                }
                Fate::Garbage => {
                    self.shared.note("garbage");
                    let garbage: [&[u8]; 4] = [
                        b"HTTP/1.1 400 Bad Request\r\n\r\n",
                        b"$99999999999\r\n",
                        b":42\r\n",
                        b"*2\r\n$2\r\nok\r\n*0\r\n",
                    ];
                    let at = usize::try_from(self.shared.roll() % 4)?;
                    client.write_all(garbage[at]).await?;
                    continue;
                }
                Fate::Pass | Fate::CutReply | Fate::LoseReply => {}
            }
            server.write_all(&command).await?;
            let Some(length) = whole(&mut server, &mut answered, reply_length).await? else {
                return Ok(());
            };
            let reply: Vec<u8> = answered.drain(..length).collect();
            match fate {
                Fate::LoseReply => {
                    self.shared.note("reply lost");
                    return Ok(());
                }
                Fate::CutReply => {
                    self.shared.note("reply cut");
                    client.write_all(&reply[..reply.len() / 2]).await?;
                    return Ok(());
                }
                _ => {}
            }
            if *self.faults.borrow() == Fault::Silent {
                self.silence().await;
            }
            client.write_all(&reply).await?;
        }
    }

    /// Until it is over.
    async fn silence(&self) {
        self.shared.note("silence");
        let mut faults = self.faults.clone();
        // The sender lives as long as the proxy.
        let _over = faults.wait_for(|fault| *fault != Fault::Silent).await;
    }

    async fn fate(&self, words: &[String]) -> Fate {
        let fault = self.faults.borrow().clone();
        match fault {
            Fault::None | Fault::Unreachable => Fate::Pass,
            Fault::Silent => {
                self.silence().await;
                Fate::Pass
            }
            Fault::Slow(millis) => {
                self.shared.note("delay");
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Fate::Pass
            }
            Fault::Says(line) => Fate::Answer(line),
            Fault::Refuses(which, line) => {
                let asked = words.join(" ").to_ascii_uppercase();
                if asked.starts_with(&which) {
                    Fate::Answer(line)
                } else {
                    Fate::Pass
                }
            }
            Fault::Lossy(chance) => {
                let roll = self.shared.roll();
                match (roll % 1000 < chance, (roll >> 32) % 4) {
                    (false, _) => Fate::Pass,
                    (true, 0) => Fate::CutReply,
                    (true, 1) => Fate::LoseReply,
                    (true, 2) => Fate::LoseCommand,
                    (true, _) => Fate::Garbage,
                }
            }
        }
    }
}

/// Commands after which a connection is no question and answer any more.
fn is_stream(words: &[String]) -> bool {
    let first = words.first().map(|word| word.to_ascii_uppercase());
    matches!(
        first.as_deref(),
        Some("PSYNC" | "SYNC" | "MONITOR" | "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE")
    )
}

/// Reads until the front of `held` is whole; its length, or `None` at the end of the stream.
async fn whole(
    from: &mut TcpStream,
    held: &mut Vec<u8>,
    length: fn(&[u8]) -> Option<usize>,
) -> Result<Option<usize>> {
    loop {
        if let Some(length) = length(held) {
            return Ok(Some(length));
        }
        if from.read_buf(held).await? == 0 {
            return Ok(None);
        }
    }
}

fn line_end(input: &[u8], from: usize) -> Option<usize> {
    let rest = input.get(from..)?;
    Some(from + rest.windows(2).position(|pair| pair == b"\r\n")? + 2)
}

fn number(input: &[u8], from: usize, to: usize) -> i64 {
    let text = input.get(from..to.saturating_sub(2)).unwrap_or_default();
    let text = std::str::from_utf8(text).unwrap_or_default();
    text.parse().unwrap_or(-1)
}

/// An array of bulk strings, or a line (replicas send those).
fn command_length(input: &[u8]) -> Option<usize> {
    match input.first()? {
        b'*' => reply_length(input),
        _ => line_end(input, 0),
    }
}

/// How long the value at the front is, once it is whole.
fn reply_length(input: &[u8]) -> Option<usize> {
    value_end(input, 0)
}

fn value_end(input: &[u8], at: usize) -> Option<usize> {
    let kind = *input.get(at)?;
    let mut end = line_end(input, at)?;
    let count = number(input, at + 1, end);
    match kind {
        b'$' | b'=' | b'!' => {
            if let Ok(length) = usize::try_from(count) {
                end += length + 2;
            }
            (input.len() >= end).then_some(end)
        }
        b'*' | b'~' | b'>' | b'%' => {
            let each = if kind == b'%' { 2 } else { 1 };
            for _ in 0..count.max(0) * each {
                end = value_end(input, end)?;
            }
            Some(end)
        }
        _ => Some(end),
    }
}

/// The words of a command.
fn words(command: &[u8]) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut found = Vec::new();
    if command.first() != Some(&b'*') {
        let line = text(command);
        return line.split_whitespace().map(str::to_owned).collect();
    }
    let Some(mut at) = line_end(command, 0) else {
        return found;
    };
    while let Some(end) = line_end(command, at) {
        let Ok(length) = usize::try_from(number(command, at + 1, end)) else {
            break;
        };
        let Some(word) = command.get(end..end + length) else {
            break;
        };
        found.push(text(word));
        at = end + length + 2;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        let reply = b"*3\r\n+OK\r\n$2\r\na\n\r\n*1\r\n:3\r\n-ERR no\r\n";
        assert_eq!(reply_length(reply), Some(reply.len() - 9));
        for cut in 0..reply.len() - 9 {
            assert_eq!(reply_length(&reply[..cut]), None, "{cut}");
        }
        assert_eq!(reply_length(b"$-1\r\n"), Some(5));
        assert_eq!(reply_length(b"%1\r\n+a\r\n+b\r\nx"), Some(12));
        assert_eq!(command_length(b"PING\r\nx"), Some(6));
        let command = b"*2\r\n$3\r\nACL\r\n$4\r\nLIST\r\n";
        assert_eq!(words(command), ["ACL", "LIST"]);
    }
}
