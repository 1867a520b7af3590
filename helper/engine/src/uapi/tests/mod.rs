//! The protocol by tables and properties, the socket by real clients.
use super::{Decoder, Malformed};

pub mod exercise;
mod protocol;
mod socket;
