//! Keys: 32 bytes each; secret ones are wiped when dropped and never shown.
use crate::uapi;
use std::fmt;
use std::io;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A peer's public key; it names the peer everywhere.
pub type PublicKey = [u8; 32];

/// Points of low order: whatever the private key, the secret shared with them is known to everyone. Little endian, without
/// the highest bit, which X25519 ignores; the last three aren't reduced.
///
/// Source: D. J. Bernstein, https://cr.yp.to/ecdh.html#validate; a test compares it with the exchange itself.
const LOW_ORDER: [PublicKey; 7] = [
    [0; 32],
    small(1),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    large(0xec),
    large(0xed),
    large(0xee),
];

const fn small(first: u8) -> PublicKey {
    let mut key = [0; 32];
    key[0] = first;
    key
}

const fn large(first: u8) -> PublicKey {
    let mut key = [0xff; 32];
    key[0] = first;
    key[31] = 0x7f;
    key
}

/// Fails for a key that nobody can have. Ten thousand of these take a millisecond, where exchanges would take a second.
pub fn refuse_weak(key: &PublicKey) -> io::Result<()> {
    let mut reduced = *key;
    reduced[31] &= 0x7f;
    if !LOW_ORDER.contains(&reduced) {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} cannot be anybody's public key", short(key))))
}

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
    fn keys_are_weak_when_an_exchange_with_them_is() {
        let private = gotatun::x25519::StaticSecret::from([7; 32]);
        let contributes = |key: &PublicKey| private.diffie_hellman(&(*key).into()).was_contributory();
        for weak in LOW_ORDER {
            let mut high = weak;
            high[31] |= 0x80;
            for key in [weak, high] {
                assert!(!contributes(&key) && refuse_weak(&key).is_err(), "{key:?}");
            }
        }
        for n in 2..=255 {
            for key in [[n; 32], small(n)] {
                assert!(contributes(&key) && refuse_weak(&key).is_ok(), "{key:?}");
            }
        }
        assert!(refuse_weak(&large(0xeb)).is_ok() && contributes(&large(0xeb)));
    }

    #[test]
    fn a_key_is_named_by_its_base64() {
        let mut key = [0; 32];
        key[..3].copy_from_slice(b"Man");
        assert_eq!(short(&key), "TWFu…");
    }
}
