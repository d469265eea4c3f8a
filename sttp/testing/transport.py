"""The kit for authors of transports: does it keep its promises, and does STTP run over it in both directions?

It is one class to derive from in a test suite that pytest runs. The transport must be installed, as a user would:

```python
from sttp.testing.transport import TransportKit


class TestSerial(TransportKit):
    url = "serial://loop-0"
```

What is asked is what `sttp.transport.contract` promises, one test for each promise, and then whole conversations of a
publisher and a subscriber. A failure says which promise was broken, and what was seen instead.

The kit has a version, `KIT`. A new version may ask more of what the contract of the same door has promised all along,
and so find faults that were there before; it never asks for more than the contract. Whoever does not want to be
surprised by an upgrade of sttp-kit sets `kit` to the version that they have passed.
"""

from __future__ import annotations

import tempfile
import unittest
from collections.abc import Callable
from typing import Any, ClassVar, Final

from sttp.errors import UsageError
from sttp.testing import (
    bytes_in_order,
    cancellation,
    dialing,
    ends_of_streams,
    pressure,
    pushing,
    sending_at_once,
    sessions,
)
from sttp.testing.checks import PATIENCE, Check, LoopFactory, run_check
from sttp.testing.requirements import Requirements
from sttp.testing.subject import CONNECTS, BrokenPromiseError, Subject
from sttp.transport import PeerIdentity, Plugins

__all__ = ["CHECKS", "KIT", "BrokenPromiseError", "Check", "Requirements", "Subject", "TransportKit", "run_check"]

KIT: Final = 1
"""The version of the kit."""

CHECKS: Final[tuple[Check, ...]] = (
    *dialing.CHECKS,
    *bytes_in_order.CHECKS,
    *ends_of_streams.CHECKS,
    *cancellation.CHECKS,
    *pressure.CHECKS,
    *pushing.CHECKS,
    *sending_at_once.CHECKS,
    *sessions.CHECKS,
)
"""All that is asked, in order: the contract, then the conversations."""


class TransportKit:
    """Derive from it, with a name that pytest collects, and set what follows; each check is then a test.

    Attributes:
        url: an endpoint where this machine can listen and dial, without a connectivity model: `ws://127.0.0.1:0/sttp`.
            `{folder}` in it becomes an empty folder, another one for each test.
        requirements: what the transport cannot do, with reasons. Tests of that are skipped, and tell the reason.
        dialer: who the dialing end is, as the transport must prove it to the accepting end; None for nobody.
        listener: who the listening end is, as the transport must prove it to the dialing end; None for nobody.
        kit: the version of the kit whose checks are run; later ones are skipped.
        patience: seconds that one check may take.
        loop_factory: makes the event loop; None for that of asyncio. The commands of sttp use uvloop where it is there.
        connects: how many streams one after another must leave nothing behind; fewer where each takes long.
    """

    url: ClassVar[str]
    requirements: ClassVar[Requirements] = Requirements()
    dialer: ClassVar[PeerIdentity | None] = None
    listener: ClassVar[PeerIdentity | None] = None
    kit: ClassVar[int] = KIT
    patience: ClassVar[float] = PATIENCE
    loop_factory: ClassVar[LoopFactory | None] = None
    connects: ClassVar[int] = CONNECTS

    def plugins(self) -> Plugins | None:
        """Where the URL is looked up; None for what is installed. To override where a plugin cannot be installed."""
        return None

    def run(self, check: Check) -> None:
        """Run one check.

        Raises:
            BrokenPromiseError: the transport does not keep a promise.
            unittest.SkipTest: it is not asked for this; pytest takes that for a skip.
            UsageError: `url` is missing.
        """
        if not hasattr(self, "url"):
            raise UsageError(f"{type(self).__name__} needs a url, an endpoint where this machine can listen")
        if check.since > self.kit:
            raise unittest.SkipTest(f"version {check.since} of the kit brought it, and version {self.kit} is asked for")
        if reason := self.requirements.unmet(check.needs):
            raise unittest.SkipTest(f"this transport does not meet {reason}")
        with tempfile.TemporaryDirectory() as folder:
            subject = Subject(
                self.url.replace("{folder}", folder),
                requirements=self.requirements,
                dialer=self.dialer,
                listener=self.listener,
                plugins=self.plugins(),
                connects=self.connects,
            )
            run_check(check, subject, patience=self.patience, loop_factory=type(self).loop_factory)


def _as_test(check: Check) -> Callable[[Any], None]:
    def test(self: TransportKit) -> None:
        self.run(check)

    test.__name__ = f"test_{check.name}"
    test.__qualname__ = f"{TransportKit.__name__}.{test.__name__}"
    test.__doc__ = check.promise
    return test


for _check in CHECKS:
    setattr(TransportKit, f"test_{_check.name}", _as_test(_check))
