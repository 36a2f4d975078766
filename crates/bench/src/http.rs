//! A load generator as small as it can be: requests are signed before the clock starts, each
//! caller keeps one connection.

use anyhow::{Context, bail};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One keep-alive connection.
pub(crate) struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Caller {
    pub(crate) async fn connect(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(8192),
        })
    }

    /// Sends a whole request, reads the whole answer: its status and body.
    pub(crate) async fn call(&mut self, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let text = std::str::from_utf8(&self.buffer[..head])?;
                let status = text.get(9..12).context("status line")?.parse()?;
                let length = content_length(text).context("no content-length")?;
                while self.buffer.len() < head + 4 + length {
                    self.read().await?;
                }
                return Ok((status, self.buffer[head + 4..head + 4 + length].to_vec()));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection was closed");
        }
        Ok(())
    }
}

fn content_length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    })
}

/// What a load gave.
pub(crate) struct Load {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Milliseconds of each answer.
    pub(crate) each_ms: Vec<f64>,
}

/// Each caller sends its own requests, one after the other, all callers at once; they are dealt to
/// the services.
pub(crate) async fn load(to: &[SocketAddr], lanes: Vec<Vec<Vec<u8>>>) -> anyhow::Result<Load> {
    let mut callers = Vec::new();
    for (lane, to) in lanes.into_iter().zip(to.iter().cycle()) {
        callers.push((Caller::connect(*to).await?, lane));
    }
    let begun = Instant::now();
    let mut running = Vec::new();
    for (mut caller, lane) in callers {
        running.push(tokio::spawn(async move {
            let mut each = Vec::with_capacity(lane.len());
            for request in &lane {
                let one = Instant::now();
                let (status, body) = caller.call(request).await?;
                if status != 200 {
                    bail!("answered {status}: {}", String::from_utf8_lossy(&body));
                }
                each.push(one.elapsed().as_secs_f64() * 1000.0);
            }
            Ok(each)
        }));
    }
    let mut each_ms = Vec::new();
    for lane in running {
        each_ms.extend(lane.await??);
    }
    Ok(Load {
        rate: each_ms.len() as f64 / begun.elapsed().as_secs_f64(),
        each_ms,
    })
}
