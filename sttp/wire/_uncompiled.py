"""Stands in for the module `cython` where it is not installed, and for the type checker everywhere.

The codec loops are written in Cython's pure Python mode: types in annotations, and a few marks. Uncompiled, the marks
do nothing and the types are Python's own: whole numbers of any size, and memoryviews in the place of pointers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar, overload

_T = TypeVar("_T")

compiled: bool = False
"""Whether the module that asks is compiled. Cython puts the truth in its place."""

bint: TypeAlias = bool
Py_ssize_t: TypeAlias = int
uchar: TypeAlias = int
ushort: TypeAlias = int
uint: TypeAlias = int
ulonglong: TypeAlias = int
void: TypeAlias = None
p_char: TypeAlias = memoryview
p_uchar: TypeAlias = memoryview
p_int: TypeAlias = memoryview
p_uint: TypeAlias = memoryview
p_ulonglong: TypeAlias = memoryview


def cclass(kind: _T) -> _T:
    """A class whose attributes are C variables."""
    return kind


def cfunc(function: _T) -> _T:
    """A function that only its own module calls."""
    return function


class _NoGil:
    def __call__(self, function: _T) -> _T:
        return function

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


nogil: Final = _NoGil()
"""A function that needs no interpreter, and code that runs without its lock."""


def exceptval(*, check: bool) -> Callable[[_T], _T]:
    """What a function returns when it raises; without `check` it never does."""
    return lambda function: function


class const(Generic[_T]):  # noqa: N801  # Cython's name
    """A type whose values are constants."""


@overload
def declare(kind: object) -> Any: ...
@overload
def declare(kind: object, value: _T) -> _T: ...
def declare(kind: object, value: Any = None) -> Any:
    """A variable of the C type `kind`, or, without a value, an attribute."""
    return value


def address(item: int) -> memoryview:
    """A pointer to an item of a buffer; only compiled code has any."""
    raise NotImplementedError


def cast(kind: object, value: _T) -> _T:
    """The same value as another C type."""
    return value
