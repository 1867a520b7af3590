from __future__ import annotations

from typing import get_args

from slopn_helper.host.inverses import (
    OUTLIVES_BOOT,
    Entry,
    FileWas,
    NetworkManagerWas,
    RemoveRoutes,
    RemoveRules,
    SysctlWas,
)


def test_a_key_names_what_is_undone_and_not_what_it_was() -> None:
    """Two inverses of one thing have the same key, those of two things never."""
    assert FileWas("/etc/resolv.conf", b"a").key == FileWas("/etc/resolv.conf", b"b", link="c").key
    assert FileWas("/etc/resolv.conf").key != FileWas("/etc/hosts").key
    assert SysctlWas("a", "0", "1").key == SysctlWas("a", "1", "2").key
    assert RemoveRoutes(151, 1).key != RemoveRoutes(1, 151).key
    assert RemoveRules(151).key.split()[0] != RemoveRoutes(151, 151).key.split()[0]
    assert NetworkManagerWas(("a",)).key == NetworkManagerWas().key


def test_every_inverse_has_a_tag_of_its_own() -> None:
    """The journal's lines of one release must be read by the next."""
    tags = [kind.__struct_config__.tag for kind in get_args(Entry)]
    assert len(set(tags)) == len(tags)
    assert set(OUTLIVES_BOOT) < set(get_args(Entry))
