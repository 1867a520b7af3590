//! Batches of datagrams that are opened where they stand; the checks are those of the short sample in `cargo test`.
#![no_main]
use libfuzzer_sys::fuzz_target;

#[path = "../../src/hostile/batches.rs"]
mod exercise;
#[path = "../../src/hostile/steps.rs"]
mod steps;

fuzz_target!(|bytes: &[u8]| exercise::check(bytes));
