//! Work for an instruction counter: the same request, many times over. Run under callgrind with
//! two counts, the difference divided by theirs is the cost of one, without start-up.

use crate::requests;
use crate::serve::SECRET;
use anyhow::{Context, bail};
use claviger_core::secret::Secret;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{Dialect, aliyun::Aliyun};
use std::hint::black_box;

/// What can be counted.
pub(crate) fn run(what: &str, count: u32) -> anyhow::Result<()> {
    let raw = request();
    let secret = Secret::new(SECRET);
    for _ in 0..count {
        let envelope = Aliyun.open(black_box(&raw))?;
        match what {
            "open" => {}
            "verify" => Aliyun.verify(&raw, &envelope, &secret)?,
            "decode" => {
                Aliyun.verify(&raw, &envelope, &secret)?;
                black_box(Aliyun.decode(&envelope)?);
            }
            _ => bail!("open, verify or decode"),
        }
        black_box(&envelope);
    }
    Aliyun
        .verify(&raw, &Aliyun.open(&raw)?, &secret)
        .context("the request must verify")
}

fn request() -> RawRequest {
    let params = [
        ("InstanceId", "r-bp1zxszhcgatnx01"),
        ("AccountName", "demoaccount"),
        ("AccountPassword", "Bench-Pass-2026"),
        ("AccountPrivilege", "RoleReadOnly"),
        ("AccountDescription", "demo"),
    ];
    let signed = requests::acs3("CreateAccount", &params);
    RawRequest {
        method: "POST".into(),
        path: "/".into(),
        query: Some(Secret::new(signed.query)),
        headers: signed
            .headers
            .into_iter()
            .map(|(n, v)| (n.to_owned(), v.into_bytes()))
            .collect(),
        body: Vec::new(),
    }
}
