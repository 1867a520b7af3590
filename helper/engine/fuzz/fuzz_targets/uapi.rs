//! Hostile clients: any bytes, and the same bytes one at a time, mean the same.
#![no_main]
use libfuzzer_sys::fuzz_target;
use slopn_engine::uapi::{Decoder, Malformed};

fuzz_target!(|bytes: &[u8]| assert_eq!(decode(bytes, 1), decode(bytes, usize::MAX)));

fn decode(bytes: &[u8], step: usize) -> String {
    let mut decoder = Decoder::new(|_| None);
    let mut requests = String::new();
    for part in bytes.chunks(step) {
        decoder.feed(part);
        while let Some(request) = decoder.next_request() {
            requests.push_str(&format!("{request:?}\n"));
            if request == Err(Malformed::TooLong) {
                return requests;
            }
        }
    }
    requests
}
