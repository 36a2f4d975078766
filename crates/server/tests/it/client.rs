//! A client that sends exactly the bytes it is told to.

use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Every wait of a test ends after this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }
}

pub(crate) struct Client<S> {
    stream: BufReader<S>,
}

impl Client<TcpStream> {
    pub(crate) async fn connect(address: std::net::SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream.into_inner()
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sending = self.stream.get_mut().write_all(bytes.as_ref());
        timeout(DEADLINE, sending).await.unwrap().unwrap();
        self.stream.get_mut().flush().await.unwrap();
    }

    /// Sends as much as the server takes.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        let sending = self.stream.get_mut().write_all(bytes.as_ref());
        timeout(DEADLINE, sending).await.unwrap()
    }

    /// The next answer; `None` if the server closed the connection instead.
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        timeout(DEADLINE, self.read(true)).await.unwrap()
    }

    /// The next answer, which has no body whatever its length says.
    pub(crate) async fn next_head(&mut self) -> Option<Answer> {
        timeout(DEADLINE, self.read(false)).await.unwrap()
    }

    pub(crate) async fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes).await;
        self.next().await.expect("an answer")
    }

    async fn read(&mut self, with_body: bool) -> Option<Answer> {
        let mut line = String::new();
        if matches!(self.stream.read_line(&mut line).await, Ok(0) | Err(_)) {
            return None;
        }
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        let length = answer.header("content-length").map(|l| l.parse().unwrap());
        if with_body {
            answer.body = vec![0; length.unwrap_or(0)];
            self.stream.read_exact(&mut answer.body).await.unwrap();
        }
        Some(answer)
    }
}
