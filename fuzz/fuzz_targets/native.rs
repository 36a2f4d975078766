//! Any `Authorization` header of the native API: read or refused, never a panic.
#![no_main]

use claviger_core::secret::Secret;
use claviger_dialects::native;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    if let Ok(claim) = native::parse(header) {
        let request = native::Signed { method: "GET", path: "/", query: "", body: b"" };
        assert!(claim.verify(&Secret::new("fuzz"), request).is_err());
    }
});
