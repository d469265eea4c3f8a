"""Mutants: an implementation that is wrong in exactly one way, to see that a check notices.

Between the suite and an honest implementation stands a man in the middle, who sees every frame of both ends and may
change, drop, add or delay it, or break the connection. The implementation may be anyone's, in any language. Declaring a
mutant takes a few lines:

```python
mutant(
    "publisher_unsubscribes_without_a_word",
    PUBLISHER,
    Says(dropped(Response.SUCCEEDED, answering=Command.UNSUBSCRIBE)),
    caught_by=("answers_unsubscribe",),
)
```

What it does otherwise is a fault or several (`faults`), what becomes of frames is a rewrite (`rewrites`). One that is
`harmless` is different, and must be caught by nothing. One with `only` is wrong in one direction, right in the other.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sttp.codes import Role
from sttp_conformance.faults import Answers, Fault, Gathers, Overhears, Says
from sttp_conformance.ways import Direction, Way

__all__ = ["Mutant", "Where", "harmless", "in_each_direction", "load_mutants", "mutant", "together"]


@dataclass(frozen=True, slots=True)
class Where:
    """Where a mutant differs from the honest implementation.

    Attributes:
        role: the role of the implementation.
        only: the direction in which it differs; None for both.
        transport: the transport over which it differs; None for all.
    """

    role: Role
    only: Direction | None = None
    transport: str | None = None

    def holds(self, way: Way) -> bool:
        """Whether it differs in a way."""
        return self.only in (None, way.direction) and self.transport in (None, way.transport)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One way to be wrong, or, where nothing is to catch it, to be different.

    Attributes:
        name: what is wrong, as a sentence in snake case; unique.
        where: the role that is wrong, and in which ways.
        faults: what it does otherwise.
        caught_by: names of the checks that must catch it; of a comparison with its subject: `comparison[check]`.
            Without any it is harmless.
    """

    name: str
    where: Where
    faults: tuple[Fault, ...]
    caught_by: tuple[str, ...] = ()

    @property
    def role(self) -> Role:
        """The role that is wrong."""
        return self.where.role

    @property
    def is_harmless(self) -> bool:
        """Whether it is different, and not wrong; no check may catch it."""
        return not self.caught_by


def mutant(
    name: str,
    role: Role,
    *faults: Fault,
    caught_by: Iterable[str],
    only: Direction | None = None,
    transport: str | None = None,
) -> Mutant:
    """One way to be wrong. See `Mutant` and `Where` for the arguments.

    Raises:
        ValueError: nothing is wrong with it, or nothing catches it.
    """
    checks = tuple(caught_by)
    if not faults or not checks:
        raise ValueError(f"{name}: a mutant has a fault, and a check that catches it")
    return Mutant(name, Where(role, only, transport), faults, checks)


def in_each_direction(name: str, role: Role, *faults: Fault, caught_by: Iterable[str]) -> tuple[Mutant, Mutant]:
    """A mutant that is wrong in reverse only, and one that is wrong in the same way in forward only.

    Args:
        name: of both, with `{dials}` where it is to say who dials: `publisher_that_{dials}_is_late`.
        role: see `Where`.
        faults: see `Mutant`.
        caught_by: see `Mutant`.
    """
    reverse, forward = ("dials", "is_dialed") if role is Role.PUBLISHER else ("listens", "dials")
    checks = tuple(caught_by)
    return (
        mutant(name.format(dials=reverse), role, *faults, caught_by=checks, only=Direction.REVERSE),
        mutant(name.format(dials=forward), role, *faults, caught_by=checks, only=Direction.FORWARD),
    )


def harmless(name: str, role: Role, *faults: Fault, only: Direction | None = None) -> Mutant:
    """One way to be different and not wrong. See `Mutant` and `Where` for the arguments."""
    return Mutant(name, Where(role, only), faults)


def together(mutants: Sequence[Mutant]) -> Mutant:
    """A harmless mutant that does what several do, one after another. They differ in one role, and in the same ways.

    Raises:
        ValueError: what they do cannot be done together.
    """
    where = mutants[0].where
    faults = [fault for each in mutants for fault in each.faults]
    if (
        where.transport is not None
        or any(each.where != where or not each.is_harmless for each in mutants)
        or not all(isinstance(fault, Says | Overhears | Answers | Gathers) for fault in faults)
    ):
        raise ValueError(f"{', '.join(each.name for each in mutants)} cannot be one mutant")
    # what several overhear is told once
    once = [fault for at, fault in enumerate(faults) if not (isinstance(fault, Overhears) and fault in faults[:at])]
    return Mutant(" and ".join(each.name for each in mutants), where, tuple(once))


def load_mutants() -> Mapping[str, Mutant]:
    """All mutants by name; those of a chapter stand together.

    Raises:
        ValueError: two have one name.
    """
    from sttp_conformance import mutations  # noqa: PLC0415 - chapters import this module

    found: dict[str, Mutant] = {}
    modules = pkgutil.walk_packages(mutations.__path__, f"{mutations.__name__}.")
    for module in sorted((each for each in modules if not each.ispkg), key=lambda each: each.name):
        for each in vars(importlib.import_module(module.name)).get("MUTANTS", ()):
            if each.name in found:
                raise ValueError(f"two mutants are called {each.name}")
            found[each.name] = each
    return MappingProxyType(found)
