//! What a node, a cluster or a Sentinel may answer: any bytes as a reply (RESP), and any reply as
//! a user, as INFO, as CLUSTER NODES, as a Sentinel's lists and messages, as an error.
#![no_main]

use claviger_fleet::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    fuzzing::replies(data);
    if let Ok(text) = std::str::from_utf8(data) {
        fuzzing::texts(text);
    }
});
