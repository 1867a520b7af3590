//! The protocol by tables and properties, the socket by real clients.
mod protocol;
mod socket;
