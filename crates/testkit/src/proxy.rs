//! A proxy in front of a server that cuts, delays or swallows.

use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is done to the connections.
#[derive(Debug, Default)]
struct Mood {
    refuse: AtomicBool,
    swallow: AtomicBool,
    delay_ms: AtomicU64,
    connections: AtomicU64,
}

/// The proxy; it ends when dropped.
pub struct ChaosProxy {
    port: u16,
    mood: Arc<Mood>,
    cut: watch::Sender<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl ChaosProxy {
    /// Listens on a free port and passes everything on to `target`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let mood = Arc::new(Mood::default());
        let (cut, _) = watch::channel(0);
        let (own, cuts) = (Arc::clone(&mood), cut.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::Relaxed);
                if own.refuse.load(Ordering::Relaxed) {
                    continue;
                }
                let serve = serve(client, target.clone(), Arc::clone(&own), cuts.subscribe());
                tokio::spawn(serve);
            }
        });
        Ok(Self {
            port,
            mood,
            cut,
            task,
        })
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends every connection now.
    pub fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }

    /// Ends new connections as soon as they are made, or does not.
    pub fn refuse(&self, refuse: bool) {
        self.mood.refuse.store(refuse, Ordering::Relaxed);
    }

    /// Passes nothing on, while connections stay open; or does again.
    pub fn swallow(&self, swallow: bool) {
        self.mood.swallow.store(swallow, Ordering::Relaxed);
    }

    /// Delays each piece in either direction by so many milliseconds.
    pub fn delay_ms(&self, millis: u64) {
        self.mood.delay_ms.store(millis, Ordering::Relaxed);
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> u64 {
        self.mood.connections.load(Ordering::Relaxed)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(client: TcpStream, target: String, mood: Arc<Mood>, mut cut: watch::Receiver<u64>) {
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::select! {
        () = pass_on(client_read, server_write, &mood) => {}
        () = pass_on(server_read, client_write, &mood) => {}
        _ = cut.changed() => {}
    }
}

async fn pass_on(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mood: &Mood,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        let delay = mood.delay_ms.load(Ordering::Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if mood.swallow.load(Ordering::Relaxed) {
            continue;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
