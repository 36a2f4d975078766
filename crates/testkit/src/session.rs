//! One plain connection to a server, as a client of it would have: blocking, for tests.

use anyhow::{Context, Result, anyhow};
use redis::Value;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A connection.
pub struct Session {
    stream: TcpStream,
    parser: redis::Parser,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// When nothing listens there.
    pub fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            parser: redis::Parser::new(),
        })
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// When nothing listens there, or the login is refused.
    pub fn login(address: &str, user: &str, password: &str) -> Result<Self> {
        let mut session = Self::open(address)?;
        session.ask(&["AUTH", user, password])?;
        Ok(session)
    }

    /// Sends a command and reads its answer.
    ///
    /// # Errors
    /// The server's error text, or what the network says.
    pub fn ask(&mut self, words: &[&str]) -> Result<Value> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        self.stream.write_all(&command.get_packed_command())?;
        match self.parser.parse_value(&mut self.stream)? {
            Value::ServerError(error) => Err(anyhow!(
                "{} {}",
                error.code(),
                error.details().unwrap_or_default()
            )),
            value => Ok(value),
        }
    }

    /// The command is let through by the server's access rules, whatever comes of it.
    pub fn may(&mut self, words: &[&str]) -> bool {
        match self.ask(words) {
            Ok(_) => true,
            Err(error) => !error.to_string().starts_with("NOPERM"),
        }
    }

    /// The server has ended this connection.
    pub fn is_closed(&mut self) -> bool {
        match self.ask(&["PING"]) {
            Ok(_) => false,
            Err(error) => !error.to_string().starts_with("NOPERM"),
        }
    }
}

/// The text of an answer.
pub fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::VerbatimString { text, .. } => text.clone(),
        other => format!("{other:?}"),
    }
}
