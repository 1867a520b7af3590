from __future__ import annotations

from slopn_helper.psk.keyring import MOST, Keyring


def labels(keyring: Keyring) -> list[int]:
    """Names in order."""
    return [key.label for key in keyring.keys]


def test_a_change_as_both_ends_make_it() -> None:
    """The client puts the new key behind the old, then before it; the gateway before it at once; both then drop the old."""
    base = Keyring.of(None)
    client = base.expect(b"1")
    assert labels(client) == [0, 1]
    assert labels(client.switch(1)) == [1, 0]
    assert labels(client.switch(1).only(1, base=False)) == [1]
    gateway = base.replace(b"1")
    assert labels(gateway) == [1, 0]
    assert labels(gateway.replace(b"2")) == [2, 1, 0]
    assert labels(gateway.replace(b"2").only(2, base=True)) == [2, 0]
    assert gateway.orders(initiate=True).keys == ((1, b"1"), (0, None))


def test_unknown_names_change_nothing() -> None:
    """A key that was dropped can't come back."""
    keyring = Keyring.of(None).replace(b"1").only(1, base=False)
    assert keyring.find(0) is None
    assert keyring.switch(7) == keyring.only(7, base=True) == keyring


def test_the_configured_key_is_the_last_resort() -> None:
    """It comes behind the others, once."""
    keyring = Keyring.of(b"base").replace(b"1").only(1, base=False).with_base()
    assert labels(keyring) == labels(keyring.with_base()) == [1, 0]
    assert labels(keyring.anew()) == [0]


def test_names_are_never_used_again() -> None:
    """Not even after everything was dropped: what the engine tells of an older key must not be taken for a new one."""
    assert labels(Keyring.of(None).replace(b"1").anew().replace(b"2")) == [2, 0]


def test_undecided_keys_are_few_and_the_configured_one_stays() -> None:
    """The oldest go first."""
    keyring = Keyring.of(None)
    for number in range(10):
        keyring = keyring.replace(b"%d" % number)
    assert labels(keyring) == [10, 9, 8, 7, 0]
    assert len(keyring.keys) == MOST + 1


def test_no_key_is_shown() -> None:
    """Names alone."""
    assert "secret" not in repr((Keyring.of(b"secret").replace(b"secret2"), Keyring.of(b"secret").orders()))
