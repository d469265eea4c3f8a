"""Three network namespaces in a row: a secure zone, a router, the outside. This host's own network is not touched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["INSIDE", "OUTSIDE", "CommandError", "Namespace", "Network", "network"]

INSIDE: Final = "192.0.2.10"
"""The publisher's host. Both addresses are from ranges that are reserved for documentation (RFC 5737)."""

OUTSIDE: Final = "198.51.100.20"
"""The subscriber's host."""

_INSIDE_ROUTER: Final = "192.0.2.1"
_OUTSIDE_ROUTER: Final = "198.51.100.1"

_HERE: Final = Path(__file__).resolve().parent
_COMMAND_SECONDS: Final = 20.0


class CommandError(Exception):
    """A command failed; the message has it and what it said."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace.

    Attributes:
        name: as `ip netns` knows it.
    """

    name: str

    def command(self, *arguments: str) -> list[str]:
        """A command line that runs `arguments` in here."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command in here and return what it wrote on stdout.

        Raises:
            CommandError: it failed.
        """
        return _run(self.command(*arguments))


@dataclass(frozen=True, slots=True)
class Network:
    """The picture: inside, router and outside, joined by two cables."""

    inside: Namespace
    router: Namespace
    outside: Namespace

    def nft(self, *arguments: str) -> None:
        """Run `nft` in the router. Files of rules are looked for beside this file.

        Raises:
            CommandError: it failed.
        """
        self.router.run("nft", *arguments)

    def counters(self) -> dict[str, int]:
        """Packets that each named counter of the router has counted."""
        found = json.loads(self.router.run("nft", "-j", "list", "counters"))["nftables"]
        counters = (each["counter"] for each in found if "counter" in each)
        return {counter["name"]: counter["packets"] for counter in counters}


@contextmanager
def network() -> Iterator[Network]:
    """Build the three namespaces, with routes and the filter; remove them whatever happens.

    Raises:
        CommandError: that cannot be done here.
    """
    with ExitStack() as built:
        inside, router, outside = (
            built.enter_context(_namespace(f"sttp-{os.getpid()}-{name}")) for name in ("inside", "router", "outside")
        )
        _cable(router, "inside", _INSIDE_ROUTER, inside, INSIDE)
        _cable(router, "outside", _OUTSIDE_ROUTER, outside, OUTSIDE)
        router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        made = Network(inside, router, outside)
        made.nft("-f", "filter.nft")
        yield made


@contextmanager
def _namespace(name: str) -> Iterator[Namespace]:
    _run(["ip", "netns", "add", name])
    try:
        _run(["ip", "-n", name, "link", "set", "lo", "up"])
        yield Namespace(name)
    finally:
        _run(["ip", "netns", "delete", name])


def _cable(router: Namespace, interface: str, gateway: str, host: Namespace, address: str) -> None:
    """Join the router's `interface` to a host, and give the host its address and the router as its way out."""
    ends = [interface, "netns", router.name, "type", "veth", "peer", "name", "uplink", "netns", host.name]
    _run(["ip", "link", "add", *ends])
    for namespace, name, own in ((router, interface, gateway), (host, "uplink", address)):
        _run(["ip", "-n", namespace.name, "address", "add", f"{own}/24", "dev", name])
        _run(["ip", "-n", namespace.name, "link", "set", name, "up"])
    _run(["ip", "-n", host.name, "route", "add", "default", "via", gateway])


def _run(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=_HERE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{' '.join(command)}: {error}") from None
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command)}: {' '.join(done.stderr.split())}")
    return done.stdout
