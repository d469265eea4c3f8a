"""Adapters: how an implementation is started, talked to, and what it is known to do and not to do (`ADAPTER.md`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sttp.codes import Role
from sttp_conformance.expectations import Expectations, read_expectations
from sttp_conformance.schema import faults, load_schema
from sttp_conformance.ways import ENDS, Direction, Way, end_of

__all__ = ["ASKED", "QUICK_TIMERS", "WORDS", "Adapter", "AdapterError", "Announcement", "read_adapter"]

QUICK_TIMERS: Final[Mapping[str, float]] = {
    "keep-alive": 5.0,
    "dead-peer": 20.0,
    "first-command": 20.0,
    "redial-base": 0.05,
    "redial-cap": 0.2,
}
"""What timers are set to, in seconds, where they can be set and no check asks for something else."""

ASKED: Final = ("version", "encoding", "data", "include-time", "milliseconds", "nan-filter", "udp", "max-connections")
"""What a subscriber can be told to ask for when it is started, and a publisher to keep to. Empty, unless a check says
otherwise."""

WORDS: Final = frozenset(
    {
        "base-times", "buffer-blocks", "cipher-keys", "compact", "metadata", "nan-filter", "notifications",
        "processing-interval", "start-time", "temporal", "throttling", "tls", "tssc", "udp", "user-commands",
    }
)  # fmt: skip
"""What an implementation may say that it does not support, besides ends, versions, encodings and requests."""

_CREDENTIALS: Final = ("certificate", "key", "peer-certificate")
"""What an implementation has to be given where it speaks TLS."""

_PLACEHOLDERS: Final = {
    "url",
    "address",
    "host",
    "port",
    "scheme",
    "metadata",
    "folder",
    "run",
    "python",
    *_CREDENTIALS,
    *QUICK_TIMERS,
    *ASKED,
}
_PLACEHOLDER: Final = re.compile(r"\{([a-z-]+)\}")


class AdapterError(Exception):
    """The adapter file is wrong. The message names the file, the key, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """How a listening command says where it listens.

    Attributes:
        stream: `stdout` or `stderr`.
        pattern: what the line looks like; the group `port` or `address` has the place.
        seconds: how long it may take.
    """

    stream: str
    pattern: re.Pattern[str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One implementation, as its adapter file describes it.

    Attributes:
        file: the file.
        name: name of the implementation.
        version: version of the implementation.
        commands: program and arguments by end, with placeholders.
        addresses: URLs by end, of what already runs.
        environment: variables for the commands, with placeholders.
        announcement: how a listening command says where it listens; None when it does not.
        transports: addresses of this computer by scheme.
        capabilities: what is said about versions, encodings and connections.
        timers: times in seconds that the implementation keeps to.
        control: which requests each role takes.
        ticks_as_text: whether requests have ticks as strings, for languages whose numbers are floating point.
        expectations: what is not supported, and what is known to fail.
    """

    file: Path
    name: str
    version: str
    commands: Mapping[str, tuple[str, ...]]
    addresses: Mapping[str, str]
    environment: Mapping[str, str]
    announcement: Announcement | None
    transports: Mapping[str, str]
    capabilities: Mapping[str, Any]
    timers: Mapping[str, float]
    control: Mapping[Role, frozenset[str]]
    ticks_as_text: bool = False
    expectations: Expectations = field(default_factory=Expectations)

    def has_end(self, role: Role, direction: Direction) -> bool:
        """Whether the implementation can be met in this role and direction."""
        end = end_of(role, direction)
        return end in self.commands or end in self.addresses

    def can_set(self, timer: str) -> bool:
        """Whether the suite can set a timer, or say what to ask for: its placeholder stands somewhere."""
        texts = [*self.environment.values(), *(part for command in self.commands.values() for part in command)]
        return any(f"{{{timer}}}" in text for text in texts)

    def timer(self, name: str, settings: Mapping[str, float]) -> float | None:
        """What a timer is, with certain settings; None when nobody knows."""
        if self.can_set(name):
            return settings.get(name, QUICK_TIMERS[name])
        return self.timers.get(name)

    def lacks(self, need: str, role: Role) -> str:
        """Why the implementation does not have what a check needs; empty when it has it.

        Args:
            need: a capability such as `tssc`, `version:3`, `encoding:utf-16le`, or `control:publish`.
            role: the role that is judged.
        """
        if reason := self.expectations.unsupported.get(need):
            return reason
        kind, _, value = need.partition(":")
        match kind:
            case "control" if value not in self.control[role]:
                return f"the adapter offers no request {value!r} to a {role.value}"
            case "version" if int(value) not in self.capabilities.get("versions", (1, 2, 3)):
                return f"the implementation does not speak version {value}"
            case "encoding" if value not in self.capabilities.get("encodings", (value,)):
                return f"the implementation does not know {value}"
            case "start" if not self.commands:
                return "the implementation already runs and cannot be started anew"
        return ""


def read_adapter(path: Path) -> Adapter:
    """Read an adapter file, or `adapter.toml` in a folder.

    Raises:
        AdapterError: it is wrong; the message names file, key and what to write instead.
    """
    file = path / "adapter.toml" if path.is_dir() else path
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise AdapterError(f"{file}: it cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AdapterError(f"{file}: it is not TOML: {error}") from None
    for fault in faults(document, load_schema("adapter.schema.json")):
        raise AdapterError(f"{file}: {fault}")
    commands, addresses = document.get("commands", {}), document.get("addresses", {})
    if bool(commands) == bool(addresses):
        raise AdapterError(
            f"{file}: commands: give commands that start the implementation, or addresses where it runs "
            f"already, and not both; the ends are {', '.join(ENDS)}"
        )
    for place, text in _texts(document):
        for name in _PLACEHOLDER.findall(text):
            if name not in _PLACEHOLDERS:
                raise AdapterError(
                    f"{file}: {place}: there is no placeholder {{{name}}}; there are {_listed(_PLACEHOLDERS)}"
                )
    transports = document.get("transports", {"tcp": "127.0.0.1:0"})
    _check_tls(file, transports, document)
    control = document.get("control", {})
    return Adapter(
        file=file,
        name=document["implementation"]["name"],
        version=document["implementation"]["version"],
        commands={end: tuple(command) for end, command in commands.items()},
        addresses=addresses,
        environment=document.get("environment", {}),
        announcement=_announcement(file, document.get("announcement")),
        transports=transports,
        capabilities=document.get("capabilities", {}),
        timers={name: float(value) for name, value in document.get("timers", {}).items()},
        control={role: frozenset(control.get(role.value, ())) for role in Role},
        ticks_as_text=control.get("ticks", "integer") == "string",
        expectations=read_expectations(document),
    )


def _check_tls(file: Path, transports: Mapping[str, str], document: dict[str, Any]) -> None:
    """Whoever speaks TLS has to be given a certificate, and somebody to trust."""
    secure = next((each for each in transports if Way(Direction.FORWARD, each).is_secure), None)
    if secure is None:
        return
    if "addresses" in document:
        raise AdapterError(
            f"{file}: transports.{secure}: what already runs cannot be given a certificate; give commands, or "
            f"leave {secure} out"
        )
    texts = [text for _, text in _texts(document)]
    for name in _CREDENTIALS:
        if not any(f"{{{name}}}" in text for text in texts):
            raise AdapterError(
                f"{file}: transports.{secure}: the suite makes the certificates; hand them over by the placeholders "
                f"{_listed(set(_CREDENTIALS))} in commands or environment. {{{name}}} is missing"
            )


def _announcement(file: Path, table: dict[str, Any] | None) -> Announcement | None:
    if table is None:
        return None
    try:
        pattern = re.compile(table["pattern"])
    except re.error as error:
        raise AdapterError(f"{file}: announcement.pattern: not a regular expression: {error}") from None
    if not {"port", "address"} & pattern.groupindex.keys():
        raise AdapterError(f"{file}: announcement.pattern: it has no group (?P<port>...) and no group (?P<address>...)")
    return Announcement(table.get("stream", "stderr"), pattern, float(table.get("seconds", 20.0)))


def _texts(document: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(f"environment.{name}", value) for name, value in document.get("environment", {}).items()]
    for end, command in document.get("commands", {}).items():
        found += [(f"commands.{end}[{number}]", part) for number, part in enumerate(command)]
    return found


def _listed(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))
