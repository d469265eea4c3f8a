"""The functions of the language: what they take, what they give, and what a null does (filter-expressions.md 7).

What they compute is in `functions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sttp.filter_expression.values import ValueType

__all__ = ["SIGNATURES", "OnNull", "Parameter", "Signature", "Takes"]


class Takes(Enum):
    """What may be given for a parameter; the value says it in a message."""

    TEXT = "text"
    NUMBER = "a number"
    INTEGER = "an integer"
    DATE = "a date"
    """A DateTime, or text that is one."""
    FLAG = "True or False"
    """Anything that can be converted to Boolean."""
    ANY = "anything"


class OnNull(Enum):
    """What becomes of the call when the argument is null."""

    NULL = "null"
    """The result is null, whatever the arguments behind it are."""
    ERROR = "error"
    PASSED = "passed"
    """The function gets it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes:
        name: what it is called in the documentation.
        takes: what may be given for it.
        on_null: what a null does.
        optional: whether it may be left out.
    """

    name: str
    takes: Takes
    on_null: OnNull = OnNull.NULL
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """One function.

    Attributes:
        parameters: its parameters, in order.
        result: type of the result; `None` when it follows from the arguments.
        repeated: whether the last parameter may be given any number of times.
    """

    parameters: tuple[Parameter, ...] = ()
    result: ValueType | None = None
    repeated: bool = False

    @property
    def fewest(self) -> int:
        """The smallest number of arguments."""
        return sum(not parameter.optional for parameter in self.parameters)

    @property
    def most(self) -> float:
        """The largest number of arguments."""
        return float("inf") if self.repeated else len(self.parameters)

    @property
    def counted(self) -> str:
        """The numbers of arguments in words, such as `2 or 3 arguments`."""
        if self.repeated:
            return f"{self.fewest} arguments or more"
        count = f"{self.fewest}" if self.fewest == self.most else f"{self.fewest} or {self.most}"
        return f"{count} argument{'' if self.most == 1 else 's'}"


_SOURCE: Final = Parameter("text", Takes.TEXT)
_TEST: Final = Parameter("test", Takes.TEXT, OnNull.PASSED)
_SOUGHT: Final = Parameter("test", Takes.TEXT, OnNull.ERROR)
_NUMBER_N: Final = Parameter("n", Takes.INTEGER, OnNull.ERROR)
_IGNORE_CASE: Final = Parameter("ignore case", Takes.FLAG, OnNull.PASSED, optional=True)
_REGEX: Final = Parameter("regex", Takes.TEXT)
_DATE: Final = Parameter("date", Takes.DATE)
_INTERVAL: Final = Parameter("interval", Takes.TEXT, OnNull.ERROR)
_VALUE: Final = Parameter("value", Takes.ANY, OnNull.PASSED)

_NUMERIC: Final = Signature((Parameter("number", Takes.NUMBER),))
_TEXT_TO_TEXT: Final = Signature((_SOURCE,), ValueType.STRING)
_TEXT_TEST: Final = Signature((_SOURCE, _TEST, _IGNORE_CASE), ValueType.BOOLEAN)
_POSITION: Final = Signature((_SOURCE, _SOUGHT, _IGNORE_CASE), ValueType.INT32)
_TYPE_TEST: Final = Signature((_VALUE,), ValueType.BOOLEAN)
_EXTREME: Final = Signature((_VALUE, _VALUE), repeated=True)

SIGNATURES: Final[Mapping[str, Signature]] = {
    "ABS": _NUMERIC,
    "CEILING": _NUMERIC,
    "COALESCE": Signature((_VALUE, _VALUE), repeated=True),
    "CONTAINS": _TEXT_TEST,
    "CONVERT": Signature((_VALUE, Parameter("type name", Takes.TEXT, OnNull.ERROR))),
    "DATEADD": Signature((_DATE, _NUMBER_N, _INTERVAL), ValueType.DATE_TIME),
    "DATEDIFF": Signature((_DATE, _DATE, _INTERVAL), ValueType.INT32),
    "DATEPART": Signature((_DATE, _INTERVAL), ValueType.INT32),
    "ENDSWITH": _TEXT_TEST,
    "FLOOR": _NUMERIC,
    "IIF": Signature((Parameter("test", Takes.FLAG, OnNull.PASSED), _VALUE, _VALUE)),
    "INDEXOF": _POSITION,
    "ISDATE": _TYPE_TEST,
    "ISGUID": _TYPE_TEST,
    "ISINTEGER": _TYPE_TEST,
    "ISNULL": Signature((_VALUE, Parameter("default", Takes.ANY, OnNull.ERROR))),
    "ISNUMERIC": _TYPE_TEST,
    "LASTINDEXOF": _POSITION,
    "LEN": Signature((_SOURCE,), ValueType.INT32),
    "LOWER": _TEXT_TO_TEXT,
    "MAXOF": _EXTREME,
    "MINOF": _EXTREME,
    "NOW": Signature(result=ValueType.DATE_TIME),
    "NTHINDEXOF": Signature((_SOURCE, _SOUGHT, _NUMBER_N, _IGNORE_CASE), ValueType.INT32),
    "POWER": Signature((Parameter("base", Takes.NUMBER), Parameter("exponent", Takes.NUMBER))),
    "REGEXMATCH": Signature((_REGEX, _SOURCE), ValueType.BOOLEAN),
    "REGEXVAL": Signature((_REGEX, _SOURCE), ValueType.STRING),
    "REPLACE": Signature(
        (_SOURCE, _SOUGHT, Parameter("new text", Takes.TEXT, OnNull.ERROR), _IGNORE_CASE), ValueType.STRING
    ),
    "REVERSE": _TEXT_TO_TEXT,
    "ROUND": _NUMERIC,
    "SPLIT": Signature(
        (_SOURCE, Parameter("delimiter", Takes.TEXT, OnNull.ERROR), _NUMBER_N, _IGNORE_CASE), ValueType.STRING
    ),
    "SQRT": _NUMERIC,
    "STARTSWITH": _TEXT_TEST,
    "STRCMP": Signature(
        (
            Parameter("left", Takes.TEXT, OnNull.PASSED),
            Parameter("right", Takes.TEXT, OnNull.PASSED),
            _IGNORE_CASE,
        ),
        ValueType.INT32,
    ),
    "STRCOUNT": Signature(
        (Parameter("text", Takes.TEXT, OnNull.PASSED), Parameter("test", Takes.TEXT, OnNull.PASSED), _IGNORE_CASE),
        ValueType.INT32,
    ),
    "SUBSTR": Signature(
        (
            _SOURCE,
            Parameter("start", Takes.INTEGER, OnNull.ERROR),
            Parameter("length", Takes.INTEGER, OnNull.PASSED, optional=True),
        ),
        ValueType.STRING,
    ),
    "TRIM": _TEXT_TO_TEXT,
    "TRIMLEFT": _TEXT_TO_TEXT,
    "TRIMRIGHT": _TEXT_TO_TEXT,
    "UPPER": _TEXT_TO_TEXT,
    "UTCNOW": Signature(result=ValueType.DATE_TIME),
}
