//! Keys: 32 bytes each; secret ones are wiped when dropped and never shown.
use crate::uapi;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A peer's public key; it names the peer everywhere.
pub type PublicKey = [u8; 32];

/// A private or preshared key.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(pub [u8; 32]);

impl From<&uapi::Secret> for Secret {
    fn from(secret: &uapi::Secret) -> Self {
        Self(*secret.bytes())
    }
}

impl From<&Secret> for uapi::Secret {
    fn from(secret: &Secret) -> Self {
        Self::new(secret.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The first characters of a public key in base64, as WireGuard's own logs show it.
pub fn short(key: &PublicKey) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let n = u32::from_be_bytes([0, key[0], key[1], key[2]]);
    (0..4).map(|i| ALPHABET[(n >> (18 - 6 * i)) as usize & 63] as char).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing() {
        assert_eq!(format!("{:?}", Secret([7; 32])), "Secret(…)");
    }

    #[test]
    fn a_key_is_named_by_its_base64() {
        let mut key = [0; 32];
        key[..3].copy_from_slice(b"Man");
        assert_eq!(short(&key), "TWFu…");
    }
}
