from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from slopn_helper.gateway import devices
from slopn_helper.gateway.devices import Standing, key_problem, name_problem, new_id, standing
from slopn_helper.gateway.types import Device, DeviceKind

DEVICE = Device("d", "laptop", b"k" * 32, DeviceKind.SLOPN, created=0.0, expires=100.0)


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({}, 99.9, Standing.ACTIVE),
        ({}, 100.0, Standing.EXPIRED),
        ({"expires": None}, 1e12, Standing.ACTIVE),
        ({"disabled": True}, 5.0, Standing.DISABLED),
        ({"disabled": True}, 100.0, Standing.EXPIRED),
        ({"revoked": 1.0}, 5.0, Standing.REVOKED),
        ({"revoked": 1.0, "disabled": True}, 200.0, Standing.REVOKED),
    ],
)
def test_standing(changes: dict[str, object], now: float, expected: Standing) -> None:
    """The most lasting reason is the one that is named."""
    assert standing(msgspec.structs.replace(DEVICE, **changes), now) is expected


@pytest.mark.parametrize("name", ["laptop", "Großmutters Rechner", "ноутбук", "a" * 64, "x"])
def test_good_names(name: str) -> None:
    """People name devices in their own words."""
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", "a" * 65, " laptop", "laptop ", "a\nb", "\x1b[31m", "a\u202eb", "u\u0308ber", "a\u200bb"]
)
def test_bad_names(name: str) -> None:
    """What could forge a line of a log or a table, or look like another name, is no name."""
    assert name_problem(name) is not None


def test_ids_differ_and_are_of_chance() -> None:
    """An id is made of exactly the chance it is given."""
    asked: list[int] = []

    def chance(length: int) -> bytes:
        asked.append(length)
        return bytes(range(length))

    assert new_id(chance) == new_id(lambda length: bytes(range(length)))
    assert asked == [10]
    assert new_id(chance) != new_id(lambda length: b"\xff" * length)
    assert new_id(chance).isalnum()


def test_a_real_key_is_good() -> None:
    """A key that was made as it should be passes."""
    assert key_problem(X25519PrivateKey.generate().public_key().public_bytes_raw()) is None


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_has_32_bytes(length: int) -> None:
    """Nothing else is a key."""
    assert key_problem(b"k" * length) is not None


@pytest.mark.parametrize("point", sorted(devices._SMALL_ORDER))
@pytest.mark.parametrize("spelling", [0, 2**255, 2**255 - 19], ids=["plain", "top bit", "unreduced"])
def test_weak_keys_are_refused(point: int, spelling: int) -> None:
    """Each point of small order agrees on zero with everybody, however it is spelt, and is refused."""
    number = point + spelling
    if number >= 2**256 or (spelling == 2**255 - 19 and number >= 2**255):
        number = point
    key = number.to_bytes(32, "little")
    with pytest.raises(ValueError):
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(key))
    assert key_problem(key) is not None
