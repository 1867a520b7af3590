// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at https://mozilla.org/MPL/2.0/.
//
// SPDX-License-Identifier: MPL-2.0

use super::*;
use crate::noise::errors::WireGuardError::{ConnectionExpired, DuplicateCounter, InvalidAeadTag, InvalidCounter, WrongIndex};

fn pair() -> (Arc<Transport>, Arc<Transport>) {
    let (one, two) = ([1; 32], [2; 32]);
    (Arc::new(Transport::new(7, 9, one, two)), Arc::new(Transport::new(9, 7, two, one)))
}

fn seal(claim: &mut Claim, content: &[u8]) -> Vec<u8> {
    let mut slot = [&[0xee; HEADER][..], content, &[0xee; TAG]].concat();
    assert!(claim.seal(&mut slot));
    slot
}

fn open(far: &Transport, message: &[u8]) -> Result<Vec<u8>, WireGuardError> {
    let mut message = message.to_vec();
    let verified = far.verify(&mut message)?;
    Ok(message[far.accept(verified)?].to_vec())
}

#[test]
fn a_message_is_rfc_8439s_aead_with_the_counter_as_nonce() {
    // Key and text of RFC 8439, 2.8.2; the nonce of 2.8.2 isn't one of WireGuard's, so the rest was computed with OpenSSL.
    let key: [u8; 32] = std::array::from_fn(|i| 0x80 + i as u8);
    let near = Arc::new(Transport::new(1, 0x0403_0201, [0; 32], key));
    near.sending_key_counter.store(0x0706_0504_0302_0100, Relaxed);
    let text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let message = seal(&mut near.claim(1).unwrap(), text);
    assert_eq!(message[..16], [4, 0, 0, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(message[16..32], [0x44, 0x43, 0x6f, 0x98, 0xc0, 0x70, 0x54, 0x32, 0x19, 0x8f, 0x04, 0x1e, 0xd7, 0xbb, 0x5c, 0x00]);
    assert_eq!(message[message.len() - 16..], [0x5d, 0xc6, 0x82, 0x09, 0x8f, 0xb9, 0xf0, 0x33, 0xcc, 0xc6, 0x6b, 0xb2, 0x01, 0xfc, 0x33, 0x9d]);
}

#[test]
fn messages_pass_in_any_order_and_once() {
    let (near, far) = pair();
    let mut claim = near.claim(3).unwrap();
    let messages: Vec<_> = (0..3).map(|n| seal(&mut claim, &[n; 5])).collect();
    for n in [2, 0, 1] {
        assert_eq!(open(&far, &messages[n]).unwrap(), [n as u8; 5]);
        assert!(matches!(open(&far, &messages[n]), Err(InvalidCounter | DuplicateCounter)));
    }
    // The other way is another key.
    assert!(open(&near, &messages[0]).is_err());
}

#[test]
fn every_bit_is_authenticated() {
    let (near, far) = pair();
    let message = seal(&mut near.claim(1).unwrap(), &[5; 33]);
    for bit in 0..message.len() * 8 {
        let mut forged = message.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&far, &forged).is_err(), "bit {bit}");
    }
    assert_eq!(open(&far, &message).unwrap(), [5; 33]);
}

#[test]
fn each_counter_is_in_one_claim_whoever_asks() {
    let (near, _) = pair();
    let ask = || {
        let mut counters = vec![];
        for n in 1..200 {
            let mut claim = near.claim(n % 7).unwrap();
            counters.extend((0..n % 7).map(|_| seal(&mut claim, &[])[8..16].to_vec()));
            assert!(!claim.seal(&mut [0; HEADER + TAG]));
        }
        counters
    };
    let mut all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn the_last_counter_is_never_passed() {
    let (near, far) = pair();
    near.sending_key_counter.store(REJECT_AFTER_MESSAGES - 2, Relaxed);
    assert!(near.claim(3).is_none());
    let mut claim = near.claim(2).unwrap();
    assert!(near.claim(1).is_none());
    let (one, two) = (seal(&mut claim, &[1]), seal(&mut claim, &[2]));
    assert!(open(&far, &one).is_ok() && open(&far, &two).is_ok());
    let mut beyond = two;
    beyond[8..16].copy_from_slice(&REJECT_AFTER_MESSAGES.to_le_bytes());
    assert!(matches!(open(&far, &beyond), Err(ConnectionExpired)));
}

#[test]
fn an_ended_session_does_nothing_more() {
    let (near, far) = pair();
    let mut early = near.claim(2).unwrap();
    let message = seal(&mut early, &[1]);
    let mut late = seal(&mut early, &[2]);
    let verified = far.verify(&mut late).unwrap();
    near.end();
    far.end();
    assert!(near.claim(1).is_none());
    assert!(matches!(open(&far, &message), Err(ConnectionExpired)));
    assert!(matches!(far.accept(verified), Err(ConnectionExpired)));
}

#[test]
fn what_one_session_verified_no_other_accepts() {
    let (near, far) = pair();
    let mut message = seal(&mut near.claim(1).unwrap(), &[1]);
    let verified = far.verify(&mut message).unwrap();
    assert!(matches!(near.accept(verified), Err(WrongIndex)));
}

#[test]
fn a_slot_that_is_too_short_takes_no_counter() {
    let (near, far) = pair();
    let mut claim = near.claim(1).unwrap();
    assert!(!claim.seal(&mut [0; HEADER + TAG - 1]));
    assert_eq!(open(&far, &seal(&mut claim, &[])).unwrap(), []);
    assert!(matches!(far.verify(&mut []), Err(_)));
    let mut other = seal(&mut near.claim(1).unwrap(), &[1]);
    other[20] ^= 1;
    assert!(matches!(far.verify(&mut other), Err(InvalidAeadTag)));
}

#[test]
fn a_key_is_wiped_where_it_stood() {
    let key = Key::new([0xa5; 32]);
    // SAFETY: `Key` holds the box and nothing else; its `drop` doesn't run.
    let place = Box::into_raw(unsafe { std::mem::transmute::<Key, Box<MaybeUninit<LessSafeKey>>>(key) });
    // SAFETY: `place` has as many bytes, all of them written: the key's type has no gaps that this test would look at
    // for anything but zero.
    let bytes = || unsafe { std::slice::from_raw_parts(place.cast::<u8>(), size_of::<LessSafeKey>()) };
    assert!(bytes().windows(32).any(|window| window == [0xa5; 32]));
    // What `drop` does, but for giving the memory back.
    // SAFETY: `place` came from such a box, and `held` never frees it.
    let mut held = std::mem::ManuallyDrop::new(Key(unsafe { Box::from_raw(place) }));
    held.wipe();
    assert!(bytes().iter().all(|byte| *byte == 0));
    // SAFETY: as above; what is in it needs no `drop` any more.
    unsafe { drop(Box::from_raw(place)) };
}
