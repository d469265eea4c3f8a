"""Publisher and subscriber for programs without asyncio: scripts, and notebooks.

```python
from sttp import sync

with sync.Subscriber("tcp://pdc:7165") as subscriber:
    for batch in subscriber.measurements():
        print(batch.value.mean())
```

They drive the very classes of `sttp`, and have their arguments, methods and exceptions; only that a call waits here
where it is awaited there. Each object works in a thread of its own, from `open`, or the begin of `with`, to `close`, or
its end; `sttp.background` says why each in its own. Any thread may call, several at once, and also one whose event loop
runs, as in Jupyter. Ctrl-C interrupts whatever waits. A time limit is set by `within`.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from types import GenericAlias, TracebackType
from typing import Any, Concatenate, Generic, Never, ParamSpec, Protocol, Self, TypeVar, get_args

import sttp.publisher
import sttp.subscriber
from sttp.background import Background
from sttp.errors import ClosedError

__all__ = ["Publisher", "Subscriber"]

A = TypeVar("A", bound=AbstractAsyncContextManager[Any])
P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")


class _Blocking(Generic[A]):
    """What both have: opening, closing, and how long to wait."""

    def __init__(self, target: A) -> None:
        self._background = Background(target)
        self._timeout: float | None = None

    def open(self) -> Self:
        """Open the endpoints; for when a `with` statement does not fit, as across the cells of a notebook.

        Returns:
            This object.

        Raises:
            TransportError: one of them cannot be listened on.
            UsageError: this is open already, or has been closed.
        """
        self._background.start()
        return self

    def close(self) -> None:
        """End all connections in order, and the thread. Iterations end, other calls that wait raise `ClosedError`.

        Again: no effect. An interrupt (Ctrl-C) cuts short what closing waits for.
        """
        self._background.stop()

    def within(self, seconds: float | None) -> Self:
        """The same publisher or subscriber, with calls that raise `TimeoutError` when they would wait for longer.

        ```python
        metadata = subscriber.within(10).refresh_metadata()
        ```

        In an iteration each step has that time. Nothing is lost by a time-out: what comes later can be had by the
        next call. Closing has limits of its own.

        Args:
            seconds: longest time to wait; None for any time, which is the default.
        """
        limited = copy.copy(self)
        limited._timeout = seconds
        return limited

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Iteration(Iterator[R]):
    """Steps of an asynchronous iterator. It ends when the object that it belongs to is closed."""

    def __init__(self, background: Background[Any], steps: AsyncIterator[R], timeout: float | None) -> None:
        self._background = background
        self._steps = steps
        self._timeout = timeout

    def __next__(self) -> R:
        async def step(_: object) -> R:
            return await anext(self._steps)

        try:
            return self._background.wait(step, self._timeout)
        except (StopAsyncIteration, ClosedError):
            raise StopIteration from None


class _Property(Protocol[R_co]):
    """What type checkers are to see of a property that can only be read."""

    def __get__(self, instance: object, owner: type | None = None, /) -> R_co: ...

    def __set__(self, instance: object, value: Never, /) -> None: ...


class _Read(property):
    def __init__(self, kind: type[A], get: Callable[[A], Any]) -> None:
        def read(facade: _Blocking[A]) -> Any:
            return facade._background.call(get)

        super().__init__(read)
        self._read = read
        self._kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        original = getattr(self._kind, name)
        self.__doc__ = original.__doc__
        self._read.__annotations__.update(inspect.get_annotations(original.fget, eval_str=True))


def _of(kind: Callable[P, A]) -> Callable[[Callable[[S, A], None]], Callable[Concatenate[S, P], None]]:
    """Turn a constructor that takes an object into one that takes the arguments for making that object."""

    def decorate(construct: Callable[[S, A], None]) -> Callable[Concatenate[S, P], None]:
        @functools.wraps(vars(kind)["__init__"])
        def __init__(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:  # noqa: N807 - it is one
            construct(self, kind(*args, **kwargs))

        return __init__

    return decorate


def _waits(method: Callable[Concatenate[A, P], Coroutine[Any, Any, R]]) -> Callable[Concatenate[_Blocking[A], P], R]:
    """Turn a coroutine method into one that waits for the result."""

    @functools.wraps(method)
    def wait(facade: _Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return facade._background.wait(lambda target: method(target, *args, **kwargs), facade._timeout)

    return wait


def _calls(method: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[_Blocking[A], P], R]:
    """Let a method that does not wait be called where the object lives."""

    @functools.wraps(method)
    def call(facade: _Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return facade._background.call(lambda target: method(target, *args, **kwargs))

    return call


def _iterates(
    method: Callable[Concatenate[A, P], AsyncIterator[R]],
) -> Callable[Concatenate[_Blocking[A], P], Iterator[R]]:
    """Turn a method that iterates asynchronously into one whose iterator waits."""

    @functools.wraps(method)
    def iterate(facade: _Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        steps = facade._background.call(lambda target: method(target, *args, **kwargs))
        return _Iteration(facade._background, steps, facade._timeout)

    # for people and for the reference: type checkers know already
    signature = inspect.signature(method, eval_str=True)
    result = GenericAlias(Iterator, get_args(signature.return_annotation)[:1])
    iterate.__annotations__ = {**iterate.__annotations__, "return": result}  # those of the method stay its own
    vars(iterate)["__signature__"] = signature.replace(return_annotation=result)
    return iterate


def _reads(kind: type[A], get: Callable[[A], R]) -> _Property[R]:
    """Make a property of what `get` gets; it is documented as the property of the same name of `kind`."""
    return _Read(kind, get)


# To add a member takes one line: its types, and what it says about itself, come from the asynchronous class.


class Publisher(_Blocking[sttp.publisher.Publisher]):
    """`sttp.Publisher`, with the same arguments, for programs without asyncio.

    ```python
    with sync.Publisher("tcp://:7165", metadata=metadata) as publisher:
        publisher.within(60).wait_for_subscription()
        publisher.publish(MeasurementBatch.of(publisher.signals, [0, 1], ticks.now(), [60.0, 59.98]))
    ```
    """

    @_of(sttp.publisher.Publisher)
    def __init__(self, target: sttp.publisher.Publisher) -> None:
        super().__init__(target)

    listening = _reads(sttp.publisher.Publisher, lambda publisher: publisher.listening)
    metadata = _reads(sttp.publisher.Publisher, lambda publisher: publisher.metadata)
    signals = _reads(sttp.publisher.Publisher, lambda publisher: publisher.signals)
    statistics = _reads(sttp.publisher.Publisher, lambda publisher: publisher.statistics)
    publish = _waits(sttp.publisher.Publisher.publish)
    events = _iterates(sttp.publisher.Publisher.events)
    change_metadata = _calls(sttp.publisher.Publisher.change_metadata)
    notify = _calls(sttp.publisher.Publisher.notify)
    send_buffer_block = _calls(sttp.publisher.Publisher.send_buffer_block)
    send_user_response = _calls(sttp.publisher.Publisher.send_user_response)
    wait_for_subscription = _waits(sttp.publisher.Publisher.wait_for_subscription)
    drain = _waits(sttp.publisher.Publisher.drain)


class Subscriber(_Blocking[sttp.subscriber.Subscriber]):
    """`sttp.Subscriber`, with the same arguments, for programs without asyncio.

    ```python
    with sync.Subscriber("tcp://pdc:7165", filter="FILTER ActiveMeasurements WHERE True") as subscriber:
        for batch in subscriber.measurements():
            print(batch.value.mean())
    ```
    """

    @_of(sttp.subscriber.Subscriber)
    def __init__(self, target: sttp.subscriber.Subscriber) -> None:
        super().__init__(target)

    listening = _reads(sttp.subscriber.Subscriber, lambda subscriber: subscriber.listening)
    metadata = _reads(sttp.subscriber.Subscriber, lambda subscriber: subscriber.metadata)
    statistics = _reads(sttp.subscriber.Subscriber, lambda subscriber: subscriber.statistics)
    measurements = _iterates(sttp.subscriber.Subscriber.measurements)
    events = _iterates(sttp.subscriber.Subscriber.events)
    subscribe = _waits(sttp.subscriber.Subscriber.subscribe)
    unsubscribe = _calls(sttp.subscriber.Subscriber.unsubscribe)
    send_user_command = _calls(sttp.subscriber.Subscriber.send_user_command)
    update_processing_interval = _calls(sttp.subscriber.Subscriber.update_processing_interval)
    refresh_metadata = _waits(sttp.subscriber.Subscriber.refresh_metadata)
