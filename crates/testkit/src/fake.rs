//! A server that says what a test wants it to say, for versions and moods that no real server at
//! hand has.

use anyhow::Result;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers one command, given as its words, with bytes of the protocol.
pub type Answer = Arc<dyn Fn(&[String]) -> String + Send + Sync>;

/// The server; it ends when dropped.
pub struct FakeNode {
    port: u16,
    log: Arc<Mutex<Vec<Vec<String>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl FakeNode {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(answer: Answer) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let log = Arc::new(Mutex::default());
        let own = Arc::clone(&log);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&answer), Arc::clone(&own)));
            }
        });
        Ok(Self { port, log, task })
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Every command so far.
    pub fn log(&self) -> Vec<Vec<String>> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A bulk string of the protocol.
pub fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// An array of bulk strings.
pub fn array(items: &[&str]) -> String {
    let texts: String = items.iter().map(|item| bulk(item)).collect();
    format!("*{}\r\n{texts}", items.len())
}

async fn serve(mut client: TcpStream, answer: Answer, log: Arc<Mutex<Vec<Vec<String>>>>) {
    let mut held = Vec::new();
    let mut buffer = vec![0; 4096];
    loop {
        while let Some((words, used)) = parse(&held) {
            held.drain(..used);
            let reply = answer(&words);
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(words);
            if client.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
        match client.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => held.extend_from_slice(&buffer[..count]),
        }
    }
}

/// One whole command from the front of the buffer, and how many bytes it takes.
fn parse(held: &[u8]) -> Option<(Vec<String>, usize)> {
    let (count, mut at) = number(held, 0, '*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, start) = number(held, at, '$')?;
        at = start + length + 2;
        held.get(..at)?;
        words.push(String::from_utf8_lossy(&held[start..start + length]).into_owned());
    }
    Some((words, at))
}

/// The number on the line that begins at `at`, and where the next line begins.
fn number(held: &[u8], at: usize, marker: char) -> Option<(usize, usize)> {
    let end = held
        .get(at..)?
        .windows(2)
        .position(|pair| pair == b"\r\n")?
        + at;
    let text = std::str::from_utf8(&held[at..end]).ok()?;
    Some((text.strip_prefix(marker)?.parse().ok()?, end + 2))
}
