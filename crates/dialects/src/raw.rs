//! Requests and answers as bytes with just enough structure to sign and to read.

use claviger_core::secret::Secret;
use std::fmt;

/// A request as received. Header names are lower case; order and repetitions are kept. Target
/// and body may hold passwords: `Debug` shows neither.
#[derive(Clone)]
pub struct RawRequest {
    /// Method, as received.
    pub method: String,
    /// Path, undecoded, as received; never empty.
    pub path: String,
    /// Query, undecoded, without the question mark; `None` if there was none.
    pub query: Option<Secret>,
    /// Headers in order, names in lower case, values as received.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Body, whole; the server bounds its size.
    pub body: Vec<u8>,
}

impl RawRequest {
    /// The first value of a header, by its lower-case name, if it is readable text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.iter().find(|(n, _)| n == name)?;
        std::str::from_utf8(&value.1).ok()
    }

    /// All values of a header.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, v)| v.as_slice())
    }

    /// The query as received, or empty.
    pub fn query_str(&self) -> &str {
        self.query.as_ref().map_or("", |q| q.expose())
    }
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawRequest")
            .field("method", &self.method)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An answer as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case; `content-type` among them.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl RawAnswer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// A request that was signed here, ready to be sent. Target and body may hold passwords, and the
/// headers a signature: `Debug` shows none of them.
pub struct SignedRequest {
    /// Method.
    pub method: &'static str,
    /// Path and query.
    pub target: Secret,
    /// Headers in order, names in lower case; `host` among them.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty if there is none.
    pub body: Secret,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Decoded parameters in order of arrival. Values may be passwords: they are [`Secret`]s, and
/// `Debug` shows the count only.
#[derive(Clone, Default)]
pub struct Params(Vec<(String, Secret)>);

impl Params {
    /// Adds one at the end.
    pub fn push(&mut self, name: String, value: Secret) {
        self.0.push((name, value));
    }

    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.secret(name).map(Secret::expose)
    }

    /// The first value of that name, as the secret that it may be.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// How often the name occurs.
    pub fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(n, _)| n == name).count()
    }

    /// All of them, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.expose()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Params({})", self.0.len())
    }
}
