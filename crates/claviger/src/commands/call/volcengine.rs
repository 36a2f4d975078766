//! Signing for Volcengine and BytePlus.

use crate::clock::SystemClock;
use crate::credentials::Credentials;
use claviger_core::ports::Clock;
use claviger_dialects::raw::{Params, SignedRequest};
use claviger_dialects::volcengine::client::{Call, sign};

/// The region of the scope where neither the host nor the parameters name one.
const REGION: &str = "cn-beijing";

/// Domains of the two brands, whose hosts are `service.region.domain`.
const DOMAINS: [&str; 4] = [
    ".volcengineapi.com",
    ".volcengine-api.com",
    ".byteplusapi.com",
    ".byteplus-api.com",
];

/// Signs a call.
pub(super) fn signed(
    action: &str,
    params: &Params,
    credentials: &Credentials,
    host: &str,
) -> SignedRequest {
    sign(&Call {
        action,
        params,
        host,
        region: region(host).or(params.get("RegionId")).unwrap_or(REGION),
        key: &credentials.key,
        secret: &credentials.secret,
        token: credentials.token.as_ref(),
        at: SystemClock.now(),
    })
}

/// The region that one of the clouds' own hosts names.
fn region(host: &str) -> Option<&str> {
    let host = host.split(':').next().unwrap_or_default();
    let front = DOMAINS
        .iter()
        .find_map(|domain| host.strip_suffix(domain))?;
    front.split_once('.').map(|(_, region)| region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions() {
        for (host, expected) in [
            ("redis.cn-shanghai.volcengineapi.com", Some("cn-shanghai")),
            (
                "open.ap-southeast-1.byteplusapi.com:443",
                Some("ap-southeast-1"),
            ),
            ("open.volcengineapi.com", None),
            ("127.0.0.1:8379", None),
        ] {
            assert_eq!(region(host), expected, "{host}");
        }
    }
}
