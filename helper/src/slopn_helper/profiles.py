"""The profiles that there are: imported, enrolled, exported, removed; on disk by the store, to everybody by the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from slopn_helper import conf
from slopn_helper.secrets import ProfileSecrets
from slopn_helper.store import Store
from slopn_wire.codec import encode
from slopn_wire.commands import ChangeProfile, CheckProfile, ImportProfile
from slopn_wire.profile import PostQuantum, Profile
from slopn_wire.profile_replies import Checked

MOST_BYTES = 1 << 20
"""Size of all profiles together, without their keys, as they stand in each snapshot: two thousand usual ones."""
MOST_NETWORKS = 10_000
"""Networks, addresses and resolvers of all profiles together. Each takes most of a kilobyte of memory, and whoever may
import profiles must not fill that; a file with all networks of a country has some thousand."""


class Profiles:
    """The helper's profiles by name. `tell` gets all of them after each change.

    Whatever a user gets wrong is a `ValueError` with a sentence (`conf.ConfError` for what is wrong in a file); the
    store's own errors pass.
    """

    def __init__(self, store: Store, profiles: Sequence[Profile], tell: Callable[[tuple[Profile, ...]], None]) -> None:
        self._store = store
        self._profiles = {profile.name: profile for profile in profiles}
        self._tell = tell

    def get(self, name: str) -> Profile | None:
        """The profile of that name."""
        return self._profiles.get(name)

    def names(self) -> Sequence[str]:
        """All names."""
        return tuple(self._profiles)

    def secrets(self, name: str) -> ProfileSecrets:
        """Its keys. Raises `StoreError` or `SecretError`."""
        return self._store.secrets(name)

    def named(self, name: str) -> Profile:
        """The profile of that name. Raises `ValueError` that lists those there are."""
        profile = self._profiles.get(name)
        if profile is None:
            known = ", ".join(sorted(self._profiles)) or "none yet"
            raise ValueError(f"There is no profile “{name}”. There are: {known}.")
        return profile

    def choose(self, name: str | None, last: str | None) -> str:
        """Which one is meant: `name`, else `last`, else the only one. Raises `ValueError`."""
        if name is not None:
            return self.named(name).name
        if last in self._profiles:
            return last
        match tuple(self._profiles):
            case (only,):
                return only
            case ():
                raise ValueError("There is no profile yet; add one with `slopn import FILE`.")
            case several:
                raise ValueError(f"Say which profile: {', '.join(sorted(several))}.")

    async def add(self, command: ImportProfile, in_use: Callable[[str], bool]) -> Profile:
        """Import a file."""
        _check_name(command.name)
        if command.name in self._profiles:
            if not command.replace:
                raise ValueError(
                    f"There is a profile “{command.name}” already; give another --name, or --replace to replace it."
                )
            _refuse(command.name, in_use)
        profile, secrets = await self._parse(command.name, command.text, command.filename)
        await self._keep(profile, secrets)
        return profile

    async def put(
        self, profile: Profile, secrets: ProfileSecrets, in_use: Callable[[str], bool], *, replace: bool
    ) -> None:
        """Store one that was made by an enrolment."""
        _check_name(profile.name)
        if profile.name in self._profiles:
            if not replace:
                raise ValueError(f"There is a profile “{profile.name}” already.")
            _refuse(profile.name, in_use)
        self._fit(profile)
        await self._keep(profile, secrets)

    async def renewed(self, profile: Profile, secrets: ProfileSecrets | None) -> Profile:
        """Store what a renewal has made of a profile, with its keys as they are or others; returns it as it was before."""
        before = self.named(profile.name)
        if before.enrolment is None or profile.enrolment is None or before.enrolment.device != profile.enrolment.device:
            raise ValueError(f"The profile “{profile.name}” is another one by now.")
        # What the user chose while the gateway was asked holds: above all that no traffic passes without a key.
        profile = msgspec.structs.replace(profile, post_quantum=before.post_quantum, mtu=before.mtu)
        self._fit(profile)
        kept = await asyncio.to_thread(self._store.secrets, profile.name) if secrets is None else secrets
        await self._keep(profile, kept)
        return before

    async def check(self, command: CheckProfile) -> Checked:
        """What an import would store, with leave to replace; nothing is stored."""
        try:
            _check_name(command.name)
            profile, _ = await self._parse(command.name, command.text, command.filename)
        except conf.ConfError as error:
            return Checked(None, error.message, error.line, error.column)
        except ValueError as error:
            return Checked(None, str(error))
        return Checked(profile)

    async def rename(self, name: str, to: str, in_use: Callable[[str], bool]) -> None:
        """Call a profile something else. After a crash halfway there are both."""
        profile = self.named(name)
        _check_name(to)
        if to in self._profiles:
            raise ValueError(f"There is a profile “{to}” already; choose another name.")
        _refuse(name, in_use)
        secrets = await asyncio.to_thread(self._store.secrets, name)
        renamed = msgspec.structs.replace(profile, name=to)
        await asyncio.to_thread(self._store.save_profile, renamed, secrets)
        await asyncio.to_thread(self._store.remove_profile, name)
        del self._profiles[name]
        self._profiles[to] = renamed
        self._changed()

    async def change(self, command: ChangeProfile) -> bool:
        """What is left to the user. Whether it is something else now."""
        name = command.name
        profile = self.named(name)
        post_quantum = profile.post_quantum if command.post_quantum is None else command.post_quantum
        mtu = profile.mtu if command.mtu is None else _mtu(profile, command.mtu)
        if profile.enrolment is None and post_quantum is not PostQuantum.OFF:
            raise ValueError(
                f"The profile “{name}” came from a file: only gateways that it was enrolled at by `slopn enrol` agree "
                "post-quantum keys. Others may have a fixed preshared key, in the file's PresharedKey."
            )
        changed = msgspec.structs.replace(profile, post_quantum=post_quantum, mtu=mtu)
        if changed == profile:
            return False
        await self._keep(changed, await asyncio.to_thread(self._store.secrets, name))
        return True

    async def export(self, name: str) -> str:
        """The profile as a wg-quick file, with its keys."""
        profile = self.named(name)
        return conf.write(profile, await asyncio.to_thread(self._store.secrets, profile.name))

    async def remove(self, name: str, in_use: Callable[[str], bool]) -> None:
        """Forget a profile and its keys."""
        profile = self.named(name)
        _refuse(name, in_use)
        await asyncio.to_thread(self._store.remove_profile, profile.name)
        del self._profiles[profile.name]
        self._changed()

    async def _parse(self, name: str, text: str, filename: str) -> tuple[Profile, ProfileSecrets]:
        """Raises `ValueError`, also when all profiles together would become too many."""
        parsed = await asyncio.to_thread(conf.parse, text, filename)
        profile = parsed.named(name)
        self._fit(profile)
        return profile, parsed.secrets

    async def _keep(self, profile: Profile, secrets: ProfileSecrets) -> None:
        await asyncio.to_thread(self._store.save_profile, profile, secrets)
        self._profiles[profile.name] = profile
        self._changed()

    def _fit(self, profile: Profile) -> None:
        others = [each for other, each in self._profiles.items() if other != profile.name]
        if len(encode([*others, profile])) > MOST_BYTES:
            raise ValueError(f"All profiles together would be larger than {MOST_BYTES >> 20} MiB; remove some first.")
        if sum(map(_networks, [*others, profile])) > MOST_NETWORKS:
            raise ValueError(
                f"All profiles together would name more than {MOST_NETWORKS} networks and addresses; remove some first."
            )

    def _changed(self) -> None:
        self._tell(tuple(self._profiles[name] for name in sorted(self._profiles)))


def _check_name(name: str) -> None:
    if (problem := conf.name_problem(name)) is not None:
        raise ValueError(problem)


def _refuse(name: str, in_use: Callable[[str], bool]) -> None:
    if in_use(name):
        raise ValueError(f"The profile “{name}” is in use; disconnect first with `slopn disconnect`.")


def _mtu(profile: Profile, wanted: int) -> int | None:
    """The same bounds as in a file."""
    if wanted == 0:
        return None
    networks = (network for peer in profile.peers for network in peer.allowed_ips)
    least = conf.least_mtu((*profile.addresses, *networks))
    if not least <= wanted <= conf.MOST_MTU:
        why = ", since IPv6 is inside" if least > conf.least_mtu(()) else ""
        raise ValueError(
            f"The MTU of “{profile.name}” may be `auto`, or a number from {least} to {conf.MOST_MTU}{why}."
        )
    return wanted


def _networks(profile: Profile) -> int:
    return len(profile.addresses) + len(profile.dns.servers) + sum(len(peer.allowed_ips) for peer in profile.peers)
