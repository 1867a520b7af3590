"""The keys that an end may use with the other: while one is replaced, the old and the new. Immutable."""

from __future__ import annotations

from msgspec import Struct

from slopn_helper.psk.outputs import Label, SetKeys

MOST = 4
"""Keys besides the configured one: more exchanges than that are never undecided."""


class Key(Struct, frozen=True):
    """A key and its name; 0 is the configured one."""

    label: Label
    secret: bytes | None

    def __repr__(self) -> str:
        return f"Key({self.label})"


class Keyring(Struct, frozen=True):
    """The keys in order; the first is in force here."""

    base: Key
    keys: tuple[Key, ...]
    newest: Label = 0
    """Of the last that was added, in this keyring or one before."""

    @classmethod
    def of(cls, base: bytes | None) -> Keyring:
        """With the configured key alone."""
        key = Key(0, base)
        return cls(key, (key,))

    @property
    def first(self) -> Key:
        """The one in force."""
        return self.keys[0]

    def find(self, label: Label) -> Key | None:
        """The key of that name, if it still counts."""
        return next((key for key in self.keys if key.label == label), None)

    def expect(self, secret: bytes) -> Keyring:
        """With a new key behind the first: accepted, not yet in force."""
        new = Key(self.newest + 1, secret)
        return self._with((self.first, new, *self.keys[1:]), new.label)

    def replace(self, secret: bytes) -> Keyring:
        """With a new key in force, the others still accepted."""
        new = Key(self.newest + 1, secret)
        return self._with((new, *self.keys), new.label)

    def switch(self, label: Label) -> Keyring:
        """With the key of that name in force; as it was if there is none."""
        key = self.find(label)
        return self if key is None else self._with((key, *(k for k in self.keys if k != key)), self.newest)

    def only(self, label: Label, *, base: bool) -> Keyring:
        """With the key of that name alone; with `base`, the configured one behind it."""
        key = self.find(label)
        if key is None:
            return self
        return self._with((key, self.base) if base and key != self.base else (key,), self.newest)

    def with_base(self) -> Keyring:
        """With the configured key as the last resort."""
        return self if self.base in self.keys else self._with((*self.keys, self.base), self.newest)

    def anew(self) -> Keyring:
        """With the configured key alone; names aren't used again."""
        return self._with((self.base,), self.newest)

    def orders(self, *, initiate: bool = False) -> SetKeys:
        """For the engine."""
        return SetKeys(tuple((key.label, key.secret) for key in self.keys), initiate)

    def _with(self, keys: tuple[Key, ...], newest: Label) -> Keyring:
        agreed = [key for key in keys if key != self.base][:MOST]
        return Keyring(self.base, tuple(key for key in keys if key == self.base or key in agreed), newest)
