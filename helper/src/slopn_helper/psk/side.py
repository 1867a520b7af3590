"""What both ends have: their keys, whether the last session is protected, and the gate."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from slopn_helper.psk.kem import Kem, MlKem768
from slopn_helper.psk.keyring import Keyring
from slopn_helper.psk.outputs import Gate, Label, Output, Status
from slopn_helper.psk.schedule import Pair


class Side:
    """One end of one tunnel, as far as client and gateway are alike."""

    def __init__(
        self,
        pair: Pair,
        base: bytes | None,
        chance: Callable[[int], bytes],
        *,
        demanded: bool = False,
        kem: Kem | None = None,
    ) -> None:
        """`base`: the configured preshared key, which the engine begins with. `chance`: gives so many random bytes."""
        self._pair = pair
        self._chance = chance
        self._kem = kem or MlKem768()
        self._keys = Keyring.of(base)
        self._session: Label = 0
        """Whose key the last session has."""
        self._used: Label = 0
        """The newest key that a session has had, since an end was last started anew."""
        self._status = Status(protected=False, demanded=demanded)

    @property
    def status(self) -> Status:
        """For `status`."""
        return self._status

    @property
    def gate(self) -> bool:
        """Whether traffic may pass: closed while a key of the protocol is demanded and the last session has none."""
        return self._status.protected or not self._status.demanded

    @property
    def keys(self) -> tuple[Label, ...]:
        """Names of the keys that count now, the one in force first."""
        return tuple(key.label for key in self._keys.keys)

    def _agreed(self, label: Label, now: float) -> bool:
        """A session has this key of the protocol. True when it is the first with the newest.

        An older one changes nothing: its answer was on its way when the newer one came into force.
        """
        self._session = label
        is_new = label == self._keys.newest != self._used
        if is_new:
            self._used = label
            self._status = replace(self._status, agreed=self._status.agreed + 1, failed=0, agreed_at=now)
        if not self._status.protected:
            since = self._status.agreed_at
            self._status = replace(self._status, protected=True, agreed_at=now if since is None else since)
        return is_new

    def _lose(self) -> None:
        """The other end, or our engine, knows the configured key alone."""
        self._keys = self._keys.anew()
        self._session = self._used = 0
        self._status = replace(self._status, agreed_at=None)

    def _unprotect(self) -> list[Output]:
        before = self.gate
        self._status = replace(self._status, protected=False)
        return [] if self.gate == before else [Gate(open=False)]
