from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from slopn_helper.psk.kem import CIPHERTEXT, ENCAPSULATION_KEY, SEED, MlKem768

_VECTORS = json.loads((Path(__file__).parents[3] / "data/mlkem/ml_kem_768.json").read_text())
_KEM = MlKem768()


@pytest.mark.parametrize("vector", _VECTORS["keygen"], ids=lambda v: v["from"])
def test_a_seed_gives_the_published_key(vector: dict[str, str]) -> None:
    """The encapsulation key of each seed is the published one."""
    public = _KEM.public(bytes.fromhex(vector["seed"]))
    assert len(public) == ENCAPSULATION_KEY
    assert hashlib.sha3_256(public).hexdigest() == vector["ek_sha3_256"]


@pytest.mark.parametrize("vector", _VECTORS["decapsulate"], ids=lambda v: v["from"])
def test_a_ciphertext_gives_the_published_secret(vector: dict[str, str]) -> None:
    """Right, changed and random ciphertexts give what FIPS 203 says, implicit rejection included."""
    secret = _KEM.decapsulate(bytes.fromhex(vector["seed"]), bytes.fromhex(vector["c"]))
    assert secret.hex() == vector["K"]


def test_what_is_encapsulated_is_found_again() -> None:
    """Both have the same secret, another one each time."""
    seed = bytes(range(SEED))
    found = [_KEM.encapsulate(_KEM.public(seed)) for _ in range(2)]
    assert len(found[0][1]) == CIPHERTEXT
    assert found[0] != found[1]
    assert [_KEM.decapsulate(seed, ciphertext) for _, ciphertext in found] == [secret for secret, _ in found]


def test_what_is_no_key_is_refused() -> None:
    """A key with a coefficient that isn't below q, or of another length, is a `ValueError` (FIPS 203, 7.2)."""
    public = bytearray(_KEM.public(bytes(SEED)))
    public[0], public[1] = 0x01, public[1] & 0xF0 | 0x0D
    for wrong in (bytes(public), bytes(public[:-1]), b""):
        with pytest.raises(ValueError, match=r"ML-KEM|key|ciphertext|length|invalid"):
            _KEM.encapsulate(wrong)
    with pytest.raises(ValueError, match=r"ML-KEM|key|ciphertext|length|invalid"):
        _KEM.decapsulate(bytes(SEED), bytes(CIPHERTEXT - 1))
