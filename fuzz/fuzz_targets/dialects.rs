//! Any request, through every dialect that claims it, as far as it goes: nothing may panic, and
//! every refusal must have a form. Input: method, target, headers and body, as on the wire.
#![no_main]

use claviger_core::ids::RequestId;
use claviger_core::secret::Secret;
use claviger_dialects::raw::RawRequest;
use libfuzzer_sys::fuzz_target;

fn request(data: &[u8]) -> RawRequest {
    let at = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = match at {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (method, target) = first.split_once(' ').unwrap_or(("GET", "/"));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(Secret::new(query))),
        None => (target, None),
    };
    let headers = lines.filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8_lossy(&line[..at]).to_ascii_lowercase();
        Some((name, line[at + 1..].trim_ascii().to_vec()))
    });
    RawRequest {
        method: method.to_owned(),
        path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        query,
        headers: headers.collect(),
        body: body.to_vec(),
    }
}

fuzz_target!(|data: &[u8]| {
    let raw = request(data);
    let claimed = claviger_dialects::ALL.iter().filter(|dialect| dialect.claims(&raw)).count();
    assert!(claimed <= 1, "two dialects claim one request");
    for dialect in claviger_dialects::ALL {
        let shape = dialect.shape(&raw);
        let result = dialect.open(&raw).and_then(|envelope| {
            let ask = dialect.decode(&envelope);
            dialect.verify(&raw, &envelope, &Secret::new("fuzz"))?;
            ask
        });
        if let Err(refusal) = result {
            let answer = dialect.encode(&shape, RequestId::from_random([7; 16]), Err(&refusal));
            assert!(answer.status >= 200 && !answer.body.is_empty());
            assert!(!dialect.code(&refusal).is_empty());
        }
    }
});
