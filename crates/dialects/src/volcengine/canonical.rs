//! The canonical request: what the signature is made over.

use crate::encoding::{self, escape, pairs};
use crate::raw::RawRequest;
use std::borrow::Cow;

/// Which parameters of the query are signed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Queries<'a> {
    /// All but this one, which only a presigned request has.
    AllBut(&'static str),
    /// Those in this list, `;` between them.
    Named(&'a str),
}

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// Names of headers, `;` between them.
    pub(super) headers: &'a str,
    /// Parameters of the query.
    pub(super) queries: Queries<'a>,
    /// The value that is signed for `host`.
    pub(super) host: &'a str,
    /// Digest of the body, hexadecimal.
    pub(super) payload: &'a str,
}

/// Feeds `out` with the canonical request. It holds passwords where the query does, so it goes
/// straight into a digest.
pub(super) fn request(raw: &RawRequest, signed: &Signed<'_>, out: &mut impl FnMut(&str)) {
    out(&raw.method);
    out("\n");
    path(&raw.path, out);
    out("\n");
    query(raw.query_str(), signed.queries, out);
    out("\n");
    headers(raw, signed, out);
    out("\n");
    out(signed.headers);
    out("\n");
    out(signed.payload);
}

/// Each segment decoded and encoded anew, so that one path has one form. A segment that cannot be
/// decoded is taken as it is: no client has signed it so.
fn path(path: &str, out: &mut impl FnMut(&str)) {
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            out("/");
        }
        // Only in a query is a plus sign a space.
        let segment = segment.replace('+', "%2B");
        let decoded = encoding::decode(&segment).unwrap_or(Cow::Borrowed(&segment));
        escape(&decoded, out);
    }
}

/// Decoded, sorted by name, encoded anew: clients differ in how they write a query.
fn query(text: &str, which: Queries<'_>, out: &mut impl FnMut(&str)) {
    let decoded = |text| encoding::decode(text).unwrap_or_default();
    let signed = |name: &str| match which {
        Queries::AllBut(one) => name != one,
        Queries::Named(list) => list.split(';').any(|listed| listed == name),
    };
    let mut sorted: Vec<(Cow<'_, str>, Cow<'_, str>)> = pairs(text)
        .map(|(name, value)| (decoded(name), decoded(value)))
        .filter(|(name, _)| signed(name))
        .collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    for (index, (name, value)) in sorted.iter().enumerate() {
        if index > 0 {
            out("&");
        }
        escape(name, out);
        out("=");
        escape(value, out);
    }
}

/// A line for each, in the order of the list. Without any, the block is its own line end alone.
fn headers(raw: &RawRequest, signed: &Signed<'_>, out: &mut impl FnMut(&str)) {
    let names = signed.headers.split(';').filter(|name| !name.is_empty());
    let mut none = true;
    for name in names {
        none = false;
        out(name);
        out(":");
        match name {
            "host" => out(signed.host),
            _ => out(raw.header(name).unwrap_or_default().trim()),
        }
        out("\n");
    }
    if none {
        out("\n");
    }
}
