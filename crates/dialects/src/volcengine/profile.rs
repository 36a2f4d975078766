//! Which of the two brands is meant: BytePlus differs in one status only.

use crate::Shape;
use crate::raw::RawRequest;

/// The name under which the shape carries it.
pub(super) const ECHO: &str = "(brand)";

/// What it carries for BytePlus.
const BYTEPLUS: &str = "byteplus";

/// Domains of BytePlus, single and dual stack.
const DOMAINS: [&str; 2] = [".byteplusapi.com", ".byteplus-api.com"];

/// The brand as the shape carries it: by the host, else by the client's name of itself, since a
/// client that was pointed here sends the address of this service as its host.
pub(super) fn of(raw: &RawRequest) -> &'static str {
    let host = raw.header("host").unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let host = host.to_ascii_lowercase();
    let agent = raw.header("user-agent").unwrap_or_default();
    let by_host = DOMAINS.iter().any(|domain| host.ends_with(domain));
    if by_host || agent.to_ascii_lowercase().contains(BYTEPLUS) {
        BYTEPLUS
    } else {
        "volcengine"
    }
}

/// The answer goes to a client of BytePlus.
pub(super) fn is_byteplus(shape: &Shape) -> bool {
    shape.echoed(ECHO) == Some(BYTEPLUS)
}
