//! Requests dumped from official clients, and what is read in them. A `.http` file is the request
//! as received; the `.expect` file beside it is what this prints of it. With `CLAVIGER_BLESS=1`
//! the expectations are written anew: read the difference before it is committed.

use crate::support::{DUMPS, accept, golden};
use claviger_dialects::raw::RawRequest;
use claviger_dialects::volcengine::Volcengine;
use claviger_dialects::{Dialect, dialect_of};
use std::fmt::Write as _;
use std::path::Path;

fn printed(raw: &RawRequest) -> String {
    let mut out = String::new();
    let (envelope, ask) = accept(raw).unwrap();
    let shape = Volcengine.shape(raw);
    writeln!(out, "action: {}", envelope.action).unwrap();
    writeln!(out, "key: {}", envelope.key).unwrap();
    let signed_at = envelope.signed_at.unwrap().as_secs();
    writeln!(out, "signed at: {signed_at} s").unwrap();
    writeln!(out, "good for: {} s", envelope.age_s_max).unwrap();
    writeln!(out, "region: {}", shape.region).unwrap();
    for (name, value) in envelope.params.iter() {
        writeln!(out, "{name} = {value:?}").unwrap();
    }
    writeln!(out, "{ask:#?}").unwrap();
    out
}

#[test]
fn dumps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/volcengine");
    let requests = std::fs::read_dir(&folder).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some_and(|e| e == "http")
    });
    assert_eq!(requests.count(), DUMPS.len());
    for name in DUMPS {
        let raw = golden(name);
        assert_eq!(dialect_of(&raw).map(Dialect::name), Some("volcengine"));
        let actual = printed(&raw);
        let expect = folder.join(format!("{name}.expect"));
        if std::env::var_os("CLAVIGER_BLESS").is_some() {
            std::fs::write(&expect, &actual).unwrap();
        }
        assert_eq!(actual, std::fs::read_to_string(&expect).unwrap(), "{name}");
    }
}
