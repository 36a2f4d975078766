//! Requests dumped from official clients, and what is read in them. A `.http` file is the request
//! as received; the `.expect` file beside it is what this prints of it. With `CLAVIGER_BLESS=1`
//! the expectations are written anew: read the difference before it is committed.

use crate::support::{accept, dumped};
use claviger_dialects::huawei::Huawei;
use claviger_dialects::raw::RawRequest;
use claviger_dialects::{Dialect, dialect_of};
use std::fmt::Write as _;
use std::path::Path;

fn printed(raw: &RawRequest) -> String {
    let mut out = String::new();
    let (envelope, ask) = accept(raw).unwrap();
    writeln!(out, "action: {}", envelope.action).unwrap();
    writeln!(out, "key: {}", envelope.key).unwrap();
    writeln!(
        out,
        "signed at: {} s",
        envelope.signed_at.unwrap().as_secs()
    )
    .unwrap();
    writeln!(out, "project: {:?}", envelope.project).unwrap();
    for (name, value) in envelope.params.iter() {
        writeln!(out, "{name} = {value:?}").unwrap();
    }
    writeln!(out, "{ask:#?}").unwrap();
    out
}

#[test]
fn dumps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/huawei");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "http") {
            continue;
        }
        let raw = dumped(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(dialect_of(&raw).map(Dialect::name), Some("huawei"));
        let actual = printed(&raw);
        let shape = Huawei.shape(&raw);
        assert!(actual.starts_with(&format!("action: {}\n", shape.action)));
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
    assert!(seen >= 11, "only {seen} dumps found");
}
