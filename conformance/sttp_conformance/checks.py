"""Checks: functions that hold one implementation against one rule or a few, in every way that it can be met.

```python
@check(PUBLISHER)
async def answers_operational_modes(case: Case) -> None:
    \"\"\"A publisher answers DefineOperationalModes with Succeeded.\"\"\"
    async with case.subscriber() as peer:
        await peer.define_modes()
```

Which requirements a check looks at stands in the ledger, under the name of the check, and nowhere else.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from sttp.codes import Role
from sttp_conformance.ledger import load_ledger
from sttp_conformance.ways import Direction, Way

__all__ = ["BOTH", "PUBLISHER", "SUBSCRIBER", "Check", "check", "load_checks", "register"]

PUBLISHER: Final = Role.PUBLISHER
SUBSCRIBER: Final = Role.SUBSCRIBER
BOTH: Final = tuple(Direction)

TOPICS: Final[Mapping[tuple[str, Role], str]] = MappingProxyType(
    {
        ("framing", PUBLISHER): "negotiates",
        ("framing", SUBSCRIBER): "negotiates",
        ("negotiation", PUBLISHER): "negotiates",
        ("negotiation", SUBSCRIBER): "negotiates",
        ("metadata", PUBLISHER): "gives_metadata",
        ("metadata", SUBSCRIBER): "subscribes",
        ("subscription", PUBLISHER): "hands_over",
        ("subscription", SUBSCRIBER): "subscribes",
        ("signal_index_caches", PUBLISHER): "hands_over",
        ("signal_index_caches", SUBSCRIBER): "follows_handovers",
        ("compact", PUBLISHER): "streams_compact",
        ("compact", SUBSCRIBER): "reads_compact",
        ("base_times", PUBLISHER): "streams_compact",
        ("base_times", SUBSCRIBER): "reads_compact",
        ("tssc", PUBLISHER): "streams_tssc",
        ("tssc", SUBSCRIBER): "reads_tssc",
        ("malformed_input", PUBLISHER): "meets_malformed_input",
        ("malformed_input", SUBSCRIBER): "meets_malformed_input",
        ("cipher_keys", PUBLISHER): "rotates_cipher_keys",
        ("cipher_keys", SUBSCRIBER): "decrypts_data",
        ("buffer_blocks", PUBLISHER): "sends_buffer_blocks",
        ("buffer_blocks", SUBSCRIBER): "takes_buffer_blocks",
        ("notifications", PUBLISHER): "announces_changes",
        ("notifications", SUBSCRIBER): "takes_other_messages",
        ("user_commands", PUBLISHER): "exchanges_user_commands",
        ("user_commands", SUBSCRIBER): "takes_other_messages",
        ("processing_interval", PUBLISHER): "announces_changes",
        ("processing_interval", SUBSCRIBER): "takes_other_messages",
        ("temporal", PUBLISHER): "refuses_subscriptions",
        ("temporal", SUBSCRIBER): "meets_refusals",
        ("filter_expressions", PUBLISHER): "hands_over",
        ("filter_expressions", SUBSCRIBER): "subscribes",
        ("other_messages", PUBLISHER): "announces_changes",
        ("other_messages", SUBSCRIBER): "subscribes",
    }
)
"""What the conversations of a chapter are about, unless a check says otherwise."""

Body: TypeAlias = Callable[[Any], Awaitable[None]]
"""What a check does with its case; see `sttp_conformance.case`."""

_CHECKS: dict[str, Check] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes:
        name: name of its function; no two checks have the same.
        chapter: name of the module, or of the package of modules, that it stands in.
        requirements: ids of the requirements that it looks at.
        role: the role that is judged.
        title: the rule in a sentence, the first line of its docstring.
        body: what is done.
        directions: in which it makes sense.
        needs: what the implementation must be able to do, see `Adapter.lacks`.
        slow: whether it takes more than a few seconds, and is left out of a quick run.
        fresh: whether it needs a process of its own, because it changes what outlives a connection.
        timers: what timers are to be, in seconds, for this check.
        asks: what the subscriber is to be told to ask for when it is started, such as `version`, or the publisher to
            keep to; see `adapter.ASKED`.
        topic: what its conversation is about, for the comparison of ways; see the chapter on role invariance. Empty
            where the transcripts of two ways cannot be equal.
        listen_first: where the implementation dials: whether the suite listens before it is started.
        compares: for a comparison of what other checks have recorded, what differs: `direction` or `transport`.
        secure: whether it is about TLS, and is made over nothing else.
        since: the first edition in which it counts; empty for those that were there from the beginning.
        topics: for a comparison, what the conversations are about that it compares; without any, everything.
    """

    name: str
    chapter: str
    requirements: tuple[str, ...]
    role: Role
    title: str
    body: Body
    directions: tuple[Direction, ...] = BOTH
    needs: tuple[str, ...] = ()
    slow: bool = False
    fresh: bool = False
    timers: Mapping[str, float] = field(default_factory=dict)
    asks: Mapping[str, str] = field(default_factory=dict)
    topic: str = ""
    listen_first: bool = True
    compares: str = ""
    topics: tuple[str, ...] = ()
    secure: bool = False
    since: str = ""

    def fits(self, way: Way, ways: Collection[Way]) -> bool:
        """Whether it is made in a way, of those that there are. Where none is right, it stands in all, as not made."""
        return way.direction in self.directions and (
            way.is_secure or not self.secure or not any(each.is_secure for each in ways)
        )


def check(
    role: Role,
    *,
    directions: tuple[Direction, ...] = BOTH,
    needs: tuple[str, ...] = (),
    slow: bool = False,
    fresh: bool = False,
    timers: Mapping[str, float] = MappingProxyType({}),
    asks: Mapping[str, str] = MappingProxyType({}),
    topic: str | None = None,
    listen_first: bool = True,
    secure: bool = False,
    since: str = "",
) -> Callable[[Body], Body]:
    """Make a function a check; see `Check` for the arguments. The topic follows from the chapter, if none is given."""

    def decorate(body: Body) -> Body:
        name = body.__name__
        chapter = body.__module__.partition(".cases.")[2].partition(".")[0]
        register(
            Check(
                name=name,
                chapter=chapter,
                requirements=(),
                role=role,
                title=" ".join((body.__doc__ or "").strip().split("\n\n")[0].split()),
                body=body,
                directions=directions,
                needs=needs,
                slow=slow,
                fresh=fresh or bool(timers) or not listen_first,
                timers=timers,
                asks=asks,
                topic=(TOPICS.get((chapter, role), "") if topic is None else topic) if len(directions) > 1 else "",
                listen_first=listen_first,
                secure=secure,
                since=since,
            )
        )
        return body

    return decorate


def register(made: Check) -> None:
    """Add a check.

    Raises:
        ValueError: there is another one of this name, or it does not say what it is about.
    """
    if made.name in _CHECKS and _CHECKS[made.name].body is not made.body:
        raise ValueError(f"two checks are called {made.name}")
    if not made.title:
        raise ValueError(f"{made.name}: a check has a docstring, whose first line says what must be so")
    _CHECKS[made.name] = made


def load_checks() -> Mapping[str, Check]:
    """All checks by name, in the order of the chapters."""
    from sttp_conformance import cases  # noqa: PLC0415 - chapters import this module

    for module in sorted(pkgutil.walk_packages(cases.__path__, f"{cases.__name__}."), key=lambda each: each.name):
        importlib.import_module(module.name)
    requirements = load_ledger().by_check
    found = sorted(_CHECKS.values(), key=lambda each: (each.chapter, each.name))
    return MappingProxyType({each.name: replace(each, requirements=requirements.get(each.name, ())) for each in found})
