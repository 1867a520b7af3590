"""Carries out what clients ask: commands to the tunnel, profiles and settings to the store, answers back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from slopn_helper import acceptable
from slopn_helper.enrolment.answers import moved
from slopn_helper.health import FIREWALL_REFUSED, warning
from slopn_helper.hub import Hub
from slopn_helper.principal import Principal
from slopn_helper.profiles import Profiles
from slopn_helper.ring import Subscription
from slopn_helper.saying import told
from slopn_helper.secrets import ProfileSecrets, SecretError
from slopn_helper.store import Loaded, Store, StoreError, Wish
from slopn_helper.tunnel.inputs import Connect as ConnectTo
from slopn_helper.tunnel.inputs import Pause as PauseFrom
from slopn_helper.tunnel.inputs import TunnelCommand
from slopn_helper.wishes import Wishes
from slopn_wire.commands import (
    LONGEST_PAUSE,
    ApplySettings,
    ChangeProfile,
    CheckEnrolment,
    CheckProfile,
    Command,
    Connect,
    Diagnose,
    Disconnect,
    Enrol,
    ExportProfile,
    GetSnapshot,
    ImportProfile,
    Pause,
    Reconnect,
    RemoveProfile,
    RenameProfile,
    RenewEnrolment,
    Replay,
    Unlock,
)
from slopn_wire.devices import Device, PendingPairing
from slopn_wire.diagnosis import Diagnosis, Replayed
from slopn_wire.events import Done, ErrorKind, Exported, Refused, Result, Snapshot
from slopn_wire.profile import Profile
from slopn_wire.settings import KillSwitchMode, Settings
from slopn_wire.state import Connected, Connecting, Disconnected, TargetState

Enrolments = Callable[[CheckEnrolment | Enrol | RenewEnrolment], Awaitable[Result]]

SETTINGS_WITHIN = 5.0
"""Seconds that the answer to new settings waits until they hold: “closed” shall mean closed."""
LATER = "The new settings hold as soon as SloPN is done with what it is doing right now; see `slopn status`."
_TOLD = frozenset({FIREWALL_REFUSED, "wish_unsaved", "settings_unsaved"})
"""What of the health list is told to whoever changes settings."""

_log = logging.getLogger(__name__)


class Daemon(Protocol):
    """What commands lead to, beside the store."""

    def post(self, command: TunnelCommand) -> None:
        """Hand a command to the tunnel."""

    def apply_settings(self, settings: Settings) -> asyncio.Event:
        """Let other settings hold; the event is set once they do, or were refused."""
        ...

    def count(self) -> None:
        """Tell the hub the counters as of now."""

    def diagnose(self) -> Awaitable[Diagnosis]:
        """Look at everything."""
        ...

    def replay(self, recording: bytes) -> Replayed:
        """Run a recording through the core again. Blocks; any thread."""
        ...


class Control:
    """What the IPC server sees as the hub; also the runner's book of profiles. One command at a time changes the store."""

    def __init__(
        self, hub: Hub, store: Store, loaded: Loaded, clock: Callable[[], float] = time.time, *, boot: str = ""
    ) -> None:
        """`boot` tells this run of the computer from others."""
        self._hub = hub
        self._store = store
        self._profiles = Profiles(store, loaded.profiles, hub.set_profiles)
        self._wishes = Wishes(hub, store, loaded.wish, clock, boot)
        self.settings: Settings = loaded.settings
        self._busy = asyncio.Lock()
        self._daemon: Daemon | None = None
        self.enrolments: Enrolments | None = None
        """Where commands about enrolments go. They talk to gateways, and hold nobody else up meanwhile."""
        hub.start(
            profiles=loaded.profiles,
            settings=loaded.settings,
            target=self.wish.target,
            target_profile=self.wish.profile,
            paused_until=self.wish.until,
            stored=loaded.warnings,
        )

    def connect_to(self, daemon: Daemon) -> None:
        """Where commands of the tunnel and changed settings go. Nothing is asked of us before."""
        self._daemon = daemon

    @property
    def wish(self) -> Wish:
        """What the user wants."""
        return self._wishes.now

    def pause_left(self) -> float:
        """See `runner.ProfileBook`."""
        return self._wishes.pause_left()

    def pause_over(self) -> None:
        """See `Wishes.pause_over`."""
        self._wishes.pause_over()

    def snapshot(self) -> Snapshot:
        """See `ipc.Hub.snapshot`."""
        self._wired.count()
        return self._hub.snapshot()

    def subscribe(self, after: int | None = None, epoch: str = "") -> Subscription:
        """See `ipc.Hub.subscribe`."""
        self._wired.count()
        return self._hub.subscribe(after, epoch)

    def set_devices(self, devices: tuple[Device, ...]) -> None:
        """See `ipc.Hub.set_devices`."""
        self._hub.set_devices(devices)

    def set_pairings(self, pairings: tuple[PendingPairing, ...]) -> None:
        """See `ipc.Hub.set_pairings`."""
        self._hub.set_pairings(pairings)

    def profile(self, name: str) -> Profile | None:
        """See `runner.ProfileBook`."""
        return self._profiles.get(name)

    def names(self) -> Sequence[str]:
        """See `runner.ProfileBook`."""
        return self._profiles.names()

    def secrets(self, name: str) -> ProfileSecrets:
        """See `runner.ProfileBook`."""
        return self._profiles.secrets(name)

    async def add(self, profile: Profile, secrets: ProfileSecrets, *, replace: bool) -> None:
        """See `enrolment.enroller.Shelf`."""
        async with self._busy:
            await self._profiles.put(profile, secrets, self._in_use, replace=replace)

    async def renewed(self, profile: Profile, secrets: ProfileSecrets | None) -> None:
        """See `enrolment.enroller.Shelf`. A tunnel whose addresses or DNS hold no longer is made anew."""
        async with self._busy:
            before = await self._profiles.renewed(profile, secrets)
            if self._is_used(profile.name) and moved(before, profile):
                self._wired.post(Reconnect())

    async def submit(self, who: Principal, command: Command) -> Result:
        """See `ipc.Hub.submit`; the server has checked the caller's rights."""
        level = logging.DEBUG if isinstance(command, GetSnapshot) else logging.INFO
        # What the system says comes first, so that a name can't speak for it.
        _log.log(level, "uid %d, pid %d, %s: %s", who.uid, who.pid, who.device, told(command, self.settings))
        try:
            if isinstance(command, Diagnose):
                return await self._wired.diagnose()
            if isinstance(command, Replay):
                return await asyncio.to_thread(self._wired.replay, command.recording)
            if isinstance(command, CheckEnrolment | Enrol | RenewEnrolment) and self.enrolments is not None:
                return await self.enrolments(command)
            async with self._busy:
                result = await self._do(command)
        except ValueError as error:
            return Refused(ErrorKind.INVALID, str(error))
        except (StoreError, SecretError) as error:
            return Refused(ErrorKind.FAILED, str(error))
        return await self._once(result) if isinstance(result, asyncio.Event) else result

    @property
    def _wired(self) -> Daemon:
        if self._daemon is None:
            raise RuntimeError("connect_to comes first")
        return self._daemon

    async def _do(self, command: Command) -> Result | asyncio.Event:
        match command:
            case GetSnapshot():
                return self.snapshot()
            case Connect(profile=profile):
                name = self._profiles.choose(profile, self.wish.profile)
                await self._wishes.want(Wish(TargetState.SECURED, name))
                self._wired.post(ConnectTo(name))
            case Disconnect():
                notes = await self._wishes.want_nothing()
                self._wired.post(command)
                return Done(notes)
            case Reconnect():
                name = self._wanted("reconnect")
                if self.wish.target is TargetState.PAUSED:
                    await self._wishes.want(Wish(TargetState.SECURED, name))
                self._wired.post(command)
            case Pause(seconds=seconds):
                if not 1 <= seconds <= LONGEST_PAUSE:
                    raise ValueError(f"A pause is from 1 s to {LONGEST_PAUSE // 3600} hours long, not {seconds} s.")
                name = self._wanted("pause")
                await self._wishes.pause(name, seconds)
                self._wired.post(PauseFrom(name))
            case Unlock():
                return await self._unlock()
            case ImportProfile():
                return Done((await self._profiles.add(command, self._in_use)).notes)
            case CheckProfile():
                return await self._profiles.check(command)
            case ChangeProfile(name=name):
                if await self._profiles.change(command) and self._is_used(name):
                    self._wired.post(Reconnect())
                    return Done((f"SloPN connects to “{name}” again, so that it holds at once.",))
            case RenameProfile(name=name, to=to):
                await self._profiles.rename(name, to, self._in_use)
                if self.wish.profile == name:
                    await self._wishes.want(Wish(self.wish.target, to))
            case ExportProfile(name=name):
                return Exported(await self._profiles.export(name))
            case RemoveProfile(name=name):
                await self._profiles.remove(name, self._in_use)
                if self.wish.profile == name:
                    await self._wishes.want(Wish(self.wish.target))
            case ApplySettings(settings=settings, instead_of=known):
                if known not in {None, self.settings}:
                    sentence = "The settings were changed by another program meanwhile; look at them again."
                    return Refused(ErrorKind.CONFLICT, sentence)
                return await self._apply(settings)
            case _:
                raise ValueError(f"{type(command).__name__} is nothing that the tunnel's part of SloPN does.")
        return Done()

    def _wanted(self, verb: str) -> str:
        """The profile that the user wants, now or after a pause."""
        if self.wish.target is TargetState.UNSECURED or self.wish.profile is None:
            raise ValueError(f"Nothing is connected that you could {verb}; connect first with `slopn connect PROFILE`.")
        return self.wish.profile

    async def _unlock(self) -> asyncio.Event:
        await self._wishes.want_nothing()
        self._wired.post(Disconnect())
        mode = self.settings.kill_switch
        wanted = KillSwitchMode.ON if mode is KillSwitchMode.ALWAYS else mode
        settings = msgspec.structs.replace(self.settings, kill_switch=wanted)
        try:
            await asyncio.to_thread(self._store.save_settings, settings)
        except StoreError as error:
            # The way out doesn't hang on a disk. The next start closes again, and the health list says so.
            _log.warning("%s", error)
            self._hub.set_checked("settings", (warning("settings_unsaved", why=str(error).rstrip(".")),))
        return self._hold(settings)

    def _is_used(self, name: str) -> bool:
        """By a tunnel that is there, or on its way."""
        state = self._hub.snapshot().state
        return isinstance(state, Connected | Connecting) and state.profile == name

    def _in_use(self, name: str) -> bool:
        state = self._hub.snapshot().state
        return self._wishes.wants(name) or (not isinstance(state, Disconnected) and state.profile == name)

    async def _apply(self, settings: Settings) -> asyncio.Event:
        if (wrong := acceptable.problem(settings)) is not None:
            raise ValueError(wrong)
        await asyncio.to_thread(self._store.save_settings, settings)
        self._hub.set_checked("settings", ())
        return self._hold(settings)

    def _hold(self, settings: Settings) -> asyncio.Event:
        self.settings = settings
        self._hub.set_settings(settings)
        return self._wired.apply_settings(settings)

    async def _once(self, hold: asyncio.Event) -> Done:
        """The answer to new settings, once they hold or have been waited for long enough, or the firewall refused."""
        try:
            async with asyncio.timeout(SETTINGS_WITHIN):
                await hold.wait()
        except TimeoutError:
            return Done((LATER,))
        return Done(tuple(found.text for found in self._hub.snapshot().health if found.code in _TOLD))
