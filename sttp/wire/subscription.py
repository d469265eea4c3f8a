"""The connection string: what a subscriber asks for in Subscribe (wire.md 4.2, 4.3)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sttp.errors import LimitError, MessageError, UsageError
from sttp.limits import DEFAULT_LIMITS, Limits

__all__ = ["SubscriptionOptions", "format_connection_string", "parse_connection_string"]

_DELIMITER: Final = re.compile("[{}=;]")
_BRACE: Final = re.compile("[{}]")
_MOST_DELIMITERS: Final = 2**18
"""A list of 100 000 signal IDs in braces has 200 000; each costs time, and a command has room for millions."""


def parse_connection_string(text: str, limits: Limits = DEFAULT_LIMITS) -> dict[str, str]:
    """Take a connection string apart (4.2). One level of braces is removed; a value may be a connection string again.

    Pieces without exactly one `=` outside braces vanish, as they do with all publishers.

    Args:
        text: `key=value` pairs separated by `;`.
        limits: `connection_string_depth` counts here.

    Returns:
        The values by key in lower case; of a repeated key, the last.

    Raises:
        MessageError: a brace without its partner, or more than 262 144 delimiters.
        LimitError: braces nested too deep.
    """
    settings: dict[str, str] = {}
    terms: list[list[str]] = [[]]  # what stands before, between and behind the = of a piece; each from parts
    depth = start = position = count = 0
    while match := (_BRACE if depth else _DELIMITER).search(text, position):
        mark, position = match[0], match.end()
        count += 1
        if count > _MOST_DELIMITERS:
            raise MessageError(f"a connection string with more than {_MOST_DELIMITERS} delimiters", clause="4.2")
        depth += _DEPTH[mark]
        if depth < 0:
            raise MessageError("a closing brace that nothing opened", clause="4.2")
        if depth > limits.connection_string_depth:
            raise LimitError(
                f"braces nested deeper than {limits.connection_string_depth}",
                limit="connection_string_depth",
                clause="4.2",
            )
        if depth > (mark == "{"):
            continue  # an inner brace stays in the value
        terms[-1].append(text[start : match.start()])
        start = position
        if mark == "=":
            terms.append([])
        elif mark == ";":
            _settle(terms, settings)
            terms = [[]]
    if depth > 0:
        raise MessageError("an opening brace that nothing closes", clause="4.2")
    terms[-1].append(text[start:])
    _settle(terms, settings)
    return settings


_DEPTH: Final = {"{": 1, "}": -1, "=": 0, ";": 0}


def _settle(terms: list[list[str]], settings: dict[str, str]) -> None:
    if len(terms) == 2:
        key, value = ("".join(parts).strip() for parts in terms)
        settings[key.lower()] = value


def format_connection_string(settings: Mapping[str, str]) -> str:
    """Put a connection string together (4.2). Values are wrapped in braces where they would not survive otherwise.

    White space around a value is lost on the way; nothing can be done about it.

    Raises:
        UsageError: a key that cannot be one, or a brace without its partner in a value: there is no escape for it.
    """
    return "".join(
        _pair(key, _wrapped(key, value) if _DELIMITER.search(value) else value) for key, value in settings.items()
    )


def _pair(key: str, value: str) -> str:
    if not key.strip() or _DELIMITER.search(key):
        raise UsageError(f"not a key for a connection string: {key!r}")
    return f"{key}={value};"


def _wrapped(key: str, value: str) -> str:
    depth = 0
    for brace in _BRACE.findall(value):
        depth += _DEPTH[brace]
        if depth < 0:
            break
    if depth:
        raise UsageError(f"{key} has a brace without its partner, which cannot be sent")
    return f"{{{value}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionOptions:
    """What a subscription is to be; the defaults are what a publisher assumes where a key is absent (4.3).

    gsfapi and cppapi differ in three of those, so everything is always said: `publish_interval` (-1 and 1),
    `use_local_clock_as_real_time` (true and false) and `enable_time_reasonability_check` (unknown and true).

    Attributes:
        filter_expression: the signals wanted: one FILTER statement, or a list of signal IDs or measurement keys
            separated by `;` (4.4). Empty selects nothing, except with pyapi's publisher.
        include_time: whether compact measurements carry timestamps.
        milliseconds: whether short timestamps have 2 bytes and milliseconds instead of 4 bytes and ticks.
        request_nan_filter: leave out values that are not a number, if the publisher permits it.
        throttled: only the newest value of each signal, once per `publish_interval`.
        publish_interval: seconds between throttled publications; zero and below mean `lag_time`.
        lag_time: seconds by which a timestamp may lie in the past.
        lead_time: seconds by which a timestamp may lie in the future.
        use_local_clock_as_real_time: measure these two against the publisher's clock, not the newest timestamp.
        enable_time_reasonability_check: apply them when the newest values are tracked.
        processing_interval: milliseconds per frame of a replay; -1 is the default speed, 0 as fast as possible.
        start_time: begin of a replay, such as `2026-03-14 15:09:26.5` in UTC, or `*-10m`; None asks for live data.
        stop_time: end of a replay, in the same form.
        constraint_parameters: a text for the publisher's archive.
        data_channel_port: UDP port on which the subscriber wants its data; None for the command channel (10.5).
        assembly_info: who is asking, for logs: a connection string with `source`, `version` and `updatedOn`.
        extra: further settings, sent last; when read, those not named above, with keys in lower case.
    """

    filter_expression: str = ""
    include_time: bool = True
    milliseconds: bool = False
    request_nan_filter: bool = False
    throttled: bool = False
    publish_interval: float = -1.0
    lag_time: float = 10.0
    lead_time: float = 5.0
    use_local_clock_as_real_time: bool = False
    enable_time_reasonability_check: bool = False
    processing_interval: int = -1
    start_time: str | None = None
    stop_time: str | None = None
    constraint_parameters: str | None = None
    data_channel_port: int | None = None
    assembly_info: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def to_connection_string(self) -> str:
        """The text that goes into Subscribe.

        Raises:
            UsageError: a number that is not finite, a brace without its partner, or a key that cannot be one.
        """
        settings = {key: _FORMATS[kind](getattr(self, name)) for name, (key, kind) in _SETTINGS.items()}
        if self.assembly_info:
            settings["assemblyInfo"] = self.assembly_info
        if self.data_channel_port is not None:
            settings["dataChannel"] = f"localport={self.data_channel_port}"
        for name, key in _TEXTS.items():
            text = getattr(self, name)
            if text is not None:
                settings[key] = text
        # 4.4: braces around the filter always, because pyapi's publisher takes other text apart differently
        wanted = self.filter_expression.strip()
        chosen = _pair(_FILTER, _wrapped(_FILTER, wanted)) if wanted else ""
        return format_connection_string(settings) + chosen + format_connection_string(self.extra)

    @classmethod
    def from_connection_string(cls, text: str, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Read the text that came with Subscribe.

        Keys compare without case. A boolean is an integer, `true` or `false`, or else true when it begins with T or Y.
        A number that cannot be read counts as absent; so does a port outside 1 to 65535.

        Raises:
            MessageError: a brace without its partner.
            LimitError: braces nested too deep.
        """
        settings = parse_connection_string(text, limits)
        found: dict[str, Any] = {"filter_expression": settings.pop(_FILTER.lower(), "")}
        for name, (key, kind) in _SETTINGS.items():
            value = _READERS[kind](settings.pop(key.lower(), ""))
            if value is not None:
                found[name] = value
        for name, key in _TEXTS.items():
            found[name] = settings.pop(key.lower(), None)
        found["assembly_info"] = settings.pop("assemblyinfo", "")
        channel = parse_connection_string(settings.pop("datachannel", ""), limits)
        port = _read_int(channel.get("localport", channel.get("port", "")))
        if port is not None and 0 < port < 2**16:
            found["data_channel_port"] = port
        return cls(**found, extra=settings)


_FILTER: Final = "filterExpression"

_SETTINGS: Final[dict[str, tuple[str, type]]] = {
    "throttled": ("throttled", bool),
    "publish_interval": ("publishInterval", float),
    "include_time": ("includeTime", bool),
    "enable_time_reasonability_check": ("enableTimeReasonabilityCheck", bool),
    "lag_time": ("lagTime", float),
    "lead_time": ("leadTime", float),
    "use_local_clock_as_real_time": ("useLocalClockAsRealTime", bool),
    "processing_interval": ("processingInterval", int),
    "milliseconds": ("useMillisecondResolution", bool),
    "request_nan_filter": ("requestNaNValueFilter", bool),
}

_TEXTS: Final = {
    "start_time": "startTimeConstraint",
    "stop_time": "stopTimeConstraint",
    "constraint_parameters": "timeConstraintParameters",
}

_INTEGER: Final = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)


def _read_bool(text: str) -> bool | None:
    if _INTEGER.fullmatch(text):
        return int(text) != 0
    return text[0] in "TtYy" if text else None


def _read_int(text: str) -> int | None:
    value = int(text) if _INTEGER.fullmatch(text) else None
    return value if value is not None and -(2**31) <= value < 2**31 else None


def _read_float(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else None
    return value if value is not None and math.isfinite(value) else None


def _format_float(value: float) -> str:
    # 4.2: a point, and no exponent. Seven decimals of a second are one tick
    if not math.isfinite(value):
        raise UsageError(f"not a number that can be sent: {value}")
    return f"{value:.7f}".rstrip("0").rstrip(".")


_READERS: Final[dict[type, Callable[[str], Any]]] = {bool: _read_bool, int: _read_int, float: _read_float}
_FORMATS: Final[dict[type, Callable[[Any], str]]] = {bool: str, int: str, float: _format_float}
