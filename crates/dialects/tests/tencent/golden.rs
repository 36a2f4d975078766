//! Requests dumped from official clients, and what is read in them. A `.http` file is the request
//! as received; the `.expect` file beside it is what this prints of it. With `CLAVIGER_BLESS=1`
//! the expectations are written anew: read the difference before it is committed.

use crate::support::{accept, dumped};
use claviger_core::command::{Ask, Command};
use claviger_dialects::raw::RawRequest;
use claviger_dialects::tencent::Tencent;
use claviger_dialects::{Dialect, dialect_of};
use std::fmt::Write as _;
use std::path::Path;

fn printed(raw: &RawRequest) -> String {
    let mut out = String::new();
    let (envelope, ask) = accept(raw).unwrap();
    let shape = Tencent.shape(raw);
    writeln!(out, "action: {}", envelope.action).unwrap();
    writeln!(out, "version: {}", shape.version).unwrap();
    writeln!(out, "region: {}", shape.region).unwrap();
    writeln!(out, "key: {}", envelope.key).unwrap();
    let signed_at = envelope.signed_at.unwrap().as_secs();
    writeln!(out, "signed at: {signed_at} s").unwrap();
    writeln!(out, "skew: {} s", envelope.age_s_max).unwrap();
    if let Ask::Command {
        command: Command::Create(create),
        ..
    } = &ask
    {
        writeln!(out, "password: {}", create.password.expose()).unwrap();
    }
    writeln!(out, "{ask:#?}").unwrap();
    out
}

#[test]
fn dumps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tencent");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "http") {
            continue;
        }
        let raw = dumped(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(dialect_of(&raw).map(Dialect::name), Some("tencent"));
        let actual = printed(&raw);
        let expect = path.with_extension("expect");
        if std::env::var_os("CLAVIGER_BLESS").is_some() {
            std::fs::write(&expect, &actual).unwrap();
        }
        assert_eq!(
            actual,
            std::fs::read_to_string(&expect).unwrap(),
            "{}",
            path.display()
        );
        seen += 1;
    }
    assert!(seen >= 9, "only {seen} dumps found");
}
