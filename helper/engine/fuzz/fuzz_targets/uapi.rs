//! Hostile clients; the checks are those of the short sample in `cargo test`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use slopn_engine::uapi::{Decoder, Malformed};

#[path = "../../src/uapi/tests/exercise.rs"]
mod exercise;

fuzz_target!(|bytes: &[u8]| exercise::check(bytes));
