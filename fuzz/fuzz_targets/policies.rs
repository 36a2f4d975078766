//! Any text as a policy, and as the token of temporary credentials: read or refused, never a
//! panic; what is read makes a judge.
#![no_main]

use claviger_service::{judge, sessions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = judge::check(text);
    let _ = sessions::reads(text);
});
