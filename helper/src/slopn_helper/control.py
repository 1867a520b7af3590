"""Carries out what clients ask: commands to the tunnel, profiles and settings to the store, answers back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import assert_never

import msgspec

from slopn_helper import conf
from slopn_helper.health import FIREWALL_REFUSED
from slopn_helper.hub import Hub, Subscription
from slopn_helper.logs import LEVELS, LogStore
from slopn_helper.principal import Principal
from slopn_helper.secrets import ProfileSecrets, SecretError
from slopn_helper.store import Loaded, Store, StoreError, Wish
from slopn_helper.tunnel.inputs import Connect as ConnectTo
from slopn_helper.tunnel.inputs import TunnelCommand
from slopn_wire.commands import (
    ApplySettings,
    Command,
    Connect,
    Disconnect,
    ExportProfile,
    GetLogs,
    GetSnapshot,
    ImportProfile,
    Reconnect,
    RemoveProfile,
    Watch,
)
from slopn_wire.events import Done, ErrorKind, Exported, Logs, Refused, Result, Snapshot
from slopn_wire.profile import Profile
from slopn_wire.settings import Settings
from slopn_wire.state import Disconnected, TargetState

MECHANISMS = ("resolved", "resolv_conf")
"""Values of the setting `dns_mechanism`."""
SETTINGS_WITHIN = 5.0
"""Seconds that the answer to new settings waits until they hold: “closed” shall mean closed."""
LATER = "The new settings hold as soon as SloPN is done with what it is doing right now; see `slopn status`."

_log = logging.getLogger(__name__)


class Control:
    """What the IPC server sees as the hub; also the runner's book of profiles. One command at a time changes the store."""

    def __init__(self, hub: Hub, store: Store, logs: LogStore, loaded: Loaded) -> None:
        self._hub = hub
        self._store = store
        self._logs = logs
        self._profiles = {profile.name: profile for profile in loaded.profiles}
        self._wish = loaded.wish
        self.settings: Settings = loaded.settings
        self._busy = asyncio.Lock()
        self._post: Callable[[TunnelCommand], None] = lambda _: None
        self._settings_changed: Callable[[Settings], asyncio.Event] = lambda _: asyncio.Event()
        self._count: Callable[[], None] = lambda: None
        hub.start(
            profiles=loaded.profiles,
            settings=loaded.settings,
            target=loaded.wish.target,
            target_profile=loaded.wish.profile,
            stored=loaded.warnings,
        )

    def connect_to(
        self,
        post: Callable[[TunnelCommand], None],
        settings_changed: Callable[[Settings], asyncio.Event],
        count: Callable[[], None],
    ) -> None:
        """Where commands of the tunnel and changed settings go.

        What `settings_changed` returns is set once they hold. `count` tells the hub the counters as of now.
        """
        self._post = post
        self._settings_changed = settings_changed
        self._count = count

    @property
    def wish(self) -> Wish:
        """What the user wants."""
        return self._wish

    def snapshot(self) -> Snapshot:
        """See `ipc.Hub.snapshot`."""
        self._count()
        return self._hub.snapshot()

    def subscribe(self) -> Subscription:
        """See `ipc.Hub.subscribe`."""
        self._count()
        return self._hub.subscribe()

    def profile(self, name: str) -> Profile | None:
        """See `runner.ProfileBook`."""
        return self._profiles.get(name)

    def names(self) -> Sequence[str]:
        """See `runner.ProfileBook`."""
        return tuple(self._profiles)

    def secrets(self, name: str) -> ProfileSecrets:
        """See `runner.ProfileBook`."""
        return self._store.secrets(name)

    async def submit(self, who: Principal, command: Command) -> Result:
        """See `ipc.Hub.submit`; the server has checked the caller's rights."""
        level = logging.DEBUG if isinstance(command, GetSnapshot | Watch | GetLogs) else logging.INFO
        _log.log(level, "%s (uid %d, pid %d)", self._told(command), who.uid, who.pid)
        async with self._busy:
            try:
                result = await self._do(command)
            except (conf.ConfError, ValueError) as error:
                return Refused(ErrorKind.INVALID, str(error))
            except (StoreError, SecretError) as error:
                return Refused(ErrorKind.FAILED, str(error))
        return await self._once(result) if isinstance(result, asyncio.Event) else result

    def _told(self, command: Command) -> str:
        """For people who read the log; never a profile's text, which has keys in it."""
        kind = type(command).__name__
        match command:
            case Connect(profile=str() as name) | ImportProfile(name=name) | ExportProfile(name=name):
                return f"{kind} {name}"
            case RemoveProfile(name=name):
                return f"{kind} {name}"
            case ApplySettings(settings=settings):
                old = msgspec.structs.asdict(self.settings)
                changed = {key: value for key, value in msgspec.structs.asdict(settings).items() if value != old[key]}
                return f"{kind} {', '.join(f'{key}={value!s}' for key, value in changed.items()) or 'as they are'}"
            case _:
                return kind

    async def _do(self, command: Command) -> Result | asyncio.Event:
        match command:
            case GetSnapshot() | Watch():
                return self.snapshot()
            case GetLogs(since=since, level=level):
                if level not in LEVELS:
                    raise ValueError(f"unknown log level “{level}”; known: {', '.join(LEVELS)}")
                return Logs(self._logs.lines(since, level))
            case Connect(profile=profile):
                name = self._which(profile)
                await self._want(TargetState.SECURED, name)
                self._post(ConnectTo(name))
            case Disconnect():
                await self._want(TargetState.UNSECURED, self._wish.profile)
                self._post(command)
            case Reconnect():
                if self._wish.target is TargetState.UNSECURED:
                    raise ValueError("Nothing is connected; say which profile with `slopn connect PROFILE`.")
                self._post(command)
            case ImportProfile():
                return await self._import(command)
            case ExportProfile(name=name):
                secrets = await asyncio.to_thread(self._store.secrets, self._named(name).name)
                return Exported(conf.write(self._named(name), secrets))
            case RemoveProfile(name=name):
                await self._remove(self._named(name))
            case ApplySettings(settings=settings, instead_of=known):
                if known not in {None, self.settings}:
                    sentence = "The settings were changed by another program meanwhile; look at them again."
                    return Refused(ErrorKind.CONFLICT, sentence)
                return await self._apply(settings)
            case _:
                assert_never(command)
        return Done()

    def _which(self, name: str | None) -> str:
        if name is not None:
            return self._named(name).name
        if self._wish.profile in self._profiles:
            return self._wish.profile
        match tuple(self._profiles):
            case (only,):
                return only
            case ():
                raise ValueError("There is no profile yet; add one with `slopn import FILE`.")
            case several:
                raise ValueError(f"Say which profile: {', '.join(sorted(several))}.")

    def _named(self, name: str) -> Profile:
        profile = self._profiles.get(name)
        if profile is None:
            known = ", ".join(sorted(self._profiles)) or "none yet"
            raise ValueError(f"There is no profile “{name}”. There are: {known}.")
        return profile

    async def _want(self, target: TargetState, profile: str | None) -> None:
        wish = Wish(target, profile)
        await asyncio.to_thread(self._store.save_wish, wish)
        self._wish = wish
        self._hub.set_target(target, profile)

    async def _import(self, command: ImportProfile) -> Result:
        problem = conf.name_problem(command.name)
        if problem is not None:
            raise ValueError(problem)
        if command.name in self._profiles:
            if not command.replace:
                raise ValueError(
                    f"There is a profile “{command.name}” already; give another --name, or --replace to replace it."
                )
            self._refuse_if_in_use(command.name)
        parsed = await asyncio.to_thread(conf.parse, command.text, command.filename)
        profile = parsed.named(command.name)
        await asyncio.to_thread(self._store.save_profile, profile, parsed.secrets)
        self._profiles[profile.name] = profile
        self._tell_profiles()
        return Done(profile.notes)

    async def _remove(self, profile: Profile) -> None:
        self._refuse_if_in_use(profile.name)
        await asyncio.to_thread(self._store.remove_profile, profile.name)
        del self._profiles[profile.name]
        if self._wish.profile == profile.name:
            await self._want(self._wish.target, None)
        self._tell_profiles()

    def _refuse_if_in_use(self, name: str) -> None:
        state = self._hub.snapshot().state
        wanted = self._wish.target is TargetState.SECURED and self._wish.profile == name
        if wanted or (not isinstance(state, Disconnected) and state.profile == name):
            raise ValueError(f"The profile “{name}” is in use; disconnect first with `slopn disconnect`.")

    async def _apply(self, settings: Settings) -> asyncio.Event:
        if settings.dns_mechanism is not None and settings.dns_mechanism not in MECHANISMS:
            raise ValueError(f"dns_mechanism is {settings.dns_mechanism!r}; known: {', '.join(MECHANISMS)}")
        for resolver in settings.resolvers:
            if resolver.is_unspecified or resolver.is_multicast or getattr(resolver, "scope_id", None) is not None:
                raise ValueError(f"{resolver} can't be a resolver; give the address of one host, without a zone")
        await asyncio.to_thread(self._store.save_settings, settings)
        self.settings = settings
        self._hub.set_settings(settings)
        return self._settings_changed(settings)

    def _tell_profiles(self) -> None:
        self._hub.set_profiles(tuple(self._profiles[name] for name in sorted(self._profiles)))

    async def _once(self, hold: asyncio.Event) -> Done:
        """The answer to new settings, once they hold or have been waited for long enough, or the firewall refused."""
        try:
            async with asyncio.timeout(SETTINGS_WITHIN):
                await hold.wait()
        except TimeoutError:
            return Done((LATER,))
        return Done(tuple(found.text for found in self._hub.snapshot().health if found.code == FIREWALL_REFUSED))
