//! Queries and forms, percent-encoding and all: what is read is what was written, nothing is
//! read twice, and the bound holds.
#![no_main]

use claviger_dialects::encoding::{self, PARAMS_MAX};
use claviger_dialects::raw::Params;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut params = Params::default();
    let read = encoding::parse_form_bytes(data, &mut params);
    let Ok(count) = read else {
        return;
    };
    assert!(count == params.len() && count <= PARAMS_MAX);
    let mut again = String::new();
    for (name, value) in params.iter() {
        assert!(!name.is_empty());
        if !again.is_empty() {
            again.push('&');
        }
        encoding::escape_into(name, &mut again);
        again.push('=');
        encoding::escape_into(value, &mut again);
    }
    let mut back = Params::default();
    assert_eq!(encoding::parse_form(&again, &mut back), Ok(count));
    assert!(params.iter().eq(back.iter()), "another one is read than was written");
    for (name, _) in params.iter() {
        let found = encoding::peek(&again, name);
        assert_eq!(found.as_deref(), params.get(name));
    }
});
