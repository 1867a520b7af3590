//! What must hold for any bytes: shared by the fuzz target and by its short sample in `cargo test`.
use super::{Decoder, Malformed};

/// Any bytes, and the same bytes one at a time, mean the same.
///
/// # Panics
/// When they don't.
pub fn check(bytes: &[u8]) {
    assert_eq!(decode(bytes, 1), decode(bytes, usize::MAX));
}

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
