//! Hostile packets from the TUN and from the wire; the checks are those of the short sample in `cargo test`.
#![no_main]
use libfuzzer_sys::fuzz_target;
use slopn_engine::offload::{Coalescer, VNET_HDR_LEN, ip_len, split};

#[path = "../../src/offload/tests/exercise.rs"]
mod exercise;

fuzz_target!(|bytes: &[u8]| exercise::check(bytes));
