"""One end of STTP as a command, for the conformance suite: JSON lines on stdin, answers on stdout.

It uses the public names of `sttp` only, and is about as long as such a program has to be in any language.

    python endpoint.py publisher tcp://127.0.0.1:0 --metadata metadata.xml
    python endpoint.py subscriber reverse+tcp://127.0.0.1:0
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from sttp import Encoding, MeasurementBatch, Metadata, PeerEvent, Publisher, RefusedError, Subscriber
from sttp.codes import OperationalModes, TextEncoding
from sttp.session import PublisherConfig, SubscriberConfig, events
from sttp.transport import RedialPolicy
from sttp.wire.subscription import SubscriptionOptions

Answer = dict[str, Any] | None
Requests = Mapping[str, Callable[..., Awaitable[Answer]]]


def seconds(name: str, default: float) -> float:
    """A timer, from the environment."""
    return float(os.environ.get(name, default))


def redial() -> RedialPolicy:
    """How to dial again."""
    return RedialPolicy(base=seconds("STTP_REDIAL_BASE", 1.0), cap=seconds("STTP_REDIAL_CAP", 60.0))


@contextmanager
def security(url: str) -> Iterator[Path | None]:
    """A security folder with the certificates that the environment names, if the endpoint is a secure one."""
    if "tls" not in url.partition(":")[0].split("+"):
        yield None
        return
    own, key, peer = (os.environ[f"STTP_{each}"] for each in ("CERTIFICATE", "KEY", "PEER_CERTIFICATE"))
    with tempfile.TemporaryDirectory() as folder:
        lines = ["[own]", f"certificate = {own!r}", f"key = {key!r}"]
        lines += ["[peers.suite]", f"certificate = {peer!r}", "may_publish = true"]
        (Path(folder) / "trust.toml").write_text("\n".join(lines), "utf-8")
        yield Path(folder)


def announce(*urls: str) -> None:
    """Say where this end listens."""
    for url in urls:
        print(f"listening {url}", file=sys.stderr, flush=True)


# --- the two roles


async def publish(url: str, metadata: Metadata, security: Path | None) -> None:
    """Be a publisher until stdin ends."""
    config = PublisherConfig(
        noop_interval=seconds("STTP_KEEP_ALIVE", 5.0), first_command_timeout=seconds("STTP_FIRST_COMMAND", 20.0)
    )
    most = int(asked("STTP_MAX_CONNECTIONS", "1000"))
    happened: list[dict[str, Any]] = []
    asked_last: PeerEvent[events.PublisherEvent] | None = None
    async with (
        Publisher(
            url, metadata=metadata, redial=redial(), config=config, security=security, max_connections=most
        ) as publisher,
        asyncio.TaskGroup() as tasks,
    ):
        announce(*publisher.listening)

        async def take_events() -> None:
            nonlocal asked_last
            async for each in publisher.events():
                if isinstance(each.event, events.UserCommandReceived):
                    asked_last = each
                    number, payload = each.event.number, each.event.payload
                    happened.append({"event": "user-command", "number": number, "payload": payload.hex()})

        async def publish(measurements: list[list[Any]]) -> Answer:
            signals = publisher.signals
            index, ticks, value, flags = [], [], [], []
            for signal_id, time, number, state in measurements:
                index.append(signals.index_of[UUID(signal_id)])
                ticks.append(time)
                value.append(float(number))
                flags.append(state)
            await publisher.publish(MeasurementBatch.of(signals, index, ticks, value, flags))
            return None

        async def redefine_metadata(document: str) -> Answer:
            publisher.change_metadata(Metadata.read(document.encode()))
            return None

        async def notify(text: str) -> Answer:
            publisher.notify(text)
            return None

        async def buffer_block(signal: str, payload: str) -> Answer:
            publisher.send_buffer_block(UUID(signal), bytes.fromhex(payload))
            return None

        async def user_response(number: int, payload: str = "") -> Answer:
            assert asked_last is not None, "no user command has come"
            assert isinstance(asked_last.event, events.UserCommandReceived)
            publisher.send_user_response(
                number, bytes.fromhex(payload), command=asked_last.event.number, subscriber=asked_last.peer
            )
            return None

        async def tell_events() -> Answer:
            found = list(happened)
            happened.clear()
            return {"events": found}

        taking = tasks.create_task(take_events())
        await answer_requests(
            {
                "publish": publish,
                "redefine-metadata": redefine_metadata,
                "notify": notify,
                "buffer-block": buffer_block,
                "user-response": user_response,
                "events": tell_events,
            }
        )
        taking.cancel()


def asked(name: str, default: str) -> str:
    """What to ask for, from the environment; empty where this end may choose."""
    return os.environ.get(name) or default


def modes() -> OperationalModes:
    """The operational modes that are asked for."""
    encodings = {"utf-8": TextEncoding.UTF_8, "utf-16le": TextEncoding.UTF_16LE, "utf-16be": TextEncoding.UTF_16BE}
    return OperationalModes(
        version=int(asked("STTP_VERSION", "2")), encoding=encodings[asked("STTP_ENCODING", "utf-8")]
    )


def described(event: object) -> dict[str, Any] | None:
    """An event as the suite calls it; None for those that it does not ask about."""
    match event:
        case events.MetadataRefused():
            return {"event": "metadata-refused", "reason": event.reason}
        case events.SubscriptionAccepted():
            return {"event": "subscription-accepted", "text": event.text}
        case events.SubscriptionRefused():
            return {"event": "subscription-refused", "reason": event.reason}
        case events.ConfigurationChanged():
            return {"event": "configuration-changed"}
        case events.NotificationReceived():
            return {"event": "notification", "text": event.text}
        case events.BufferBlockReceived() if event.signal is not None:
            signal = str(event.signal.signal_id)
            return {"event": "buffer-block", "signal": signal, "payload": event.payload.hex()}
        case events.UserResponseReceived():
            return {"event": "user-response", "number": event.number, "payload": event.payload.hex()}
        case events.DataStarts():
            return {"event": "start-time", "ticks": event.ticks}
        case events.ProcessingCompleted():
            return {"event": "processing-complete", "text": event.text}
    return None


async def subscribe(url: str, security: Path | None) -> None:
    """Be a subscriber until stdin ends."""
    options = SubscriptionOptions(
        include_time=asked("STTP_INCLUDE_TIME", "true") == "true",
        milliseconds=asked("STTP_MILLISECONDS", "false") == "true",
        request_nan_filter=asked("STTP_NAN_FILTER", "false") == "true",
    )
    received: list[list[Any]] = []
    happened: list[dict[str, Any]] = []
    metadata: Metadata | None = None
    async with (
        Subscriber(
            url,
            encoding=Encoding(asked("STTP_DATA", "tssc")),
            options=options,
            redial=redial(),
            security=security,
            config=SubscriberConfig(modes=modes(), silence_timeout=seconds("STTP_DEAD_PEER", 20.0)),
        ) as subscriber,
        asyncio.TaskGroup() as tasks,
    ):
        if subscriber.listening is not None:
            announce(subscriber.listening)

        async def take_measurements() -> None:
            with suppress(RefusedError):  # which is among the events too, and ends a subscriber that dials
                async for batch in subscriber.measurements():
                    received.extend([str(m.signal.signal_id), m.ticks, wire(m.value), int(m.flags)] for m in batch)

        async def take_events() -> None:
            async for event in subscriber.events():
                happened.extend(filter(None, [described(event.event)]))

        taking = [tasks.create_task(take_measurements()), tasks.create_task(take_events())]

        async def report() -> Answer:
            found = list(received)
            received.clear()
            return {"measurements": found}

        async def tell_events() -> Answer:
            nonlocal metadata
            if subscriber.metadata is not metadata and subscriber.metadata is not None:
                metadata = subscriber.metadata
                signals = [str(signal.signal_id) for signal in metadata.signals]
                happened.append({"event": "metadata", "signals": signals})
            found = list(happened)
            happened.clear()
            return {"events": found}

        async def subscribe(filter: str) -> Answer:  # noqa: A002 - the word of the contract
            await subscriber.subscribe(filter)
            return None

        async def unsubscribe() -> Answer:
            subscriber.unsubscribe()
            return None

        async def refresh_metadata(filter: str = "") -> Answer:  # noqa: A002 - the word of the contract
            metadata = await subscriber.refresh_metadata(filter)
            return {"signals": [str(signal.signal_id) for signal in metadata.signals]}

        async def user_command(number: int, payload: str = "") -> Answer:
            subscriber.send_user_command(number, bytes.fromhex(payload))
            return None

        async def processing_interval(milliseconds: int) -> Answer:
            subscriber.update_processing_interval(milliseconds)
            return None

        await answer_requests(
            {
                "report": report,
                "events": tell_events,
                "subscribe": subscribe,
                "unsubscribe": unsubscribe,
                "refresh-metadata": refresh_metadata,
                "user-command": user_command,
                "processing-interval": processing_interval,
            }
        )
        for task in taking:
            task.cancel()


def wire(value: float) -> float | str:
    """A value as JSON has it."""
    if value != value:  # noqa: PLR0124 - NaN
        return "NaN"
    return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")


# --- the control channel


async def answer_requests(requests: Requests) -> None:
    """Take requests, one JSON object on each line of stdin, until there are no more; answer each on stdout."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with asyncio.TaskGroup() as tasks:
        while line := await lines.readline():
            tasks.create_task(answer(requests, json.loads(line)))


async def answer(requests: Requests, request: dict[str, Any]) -> None:
    """Do what a request asks for, and say how it went."""
    number, name = request.pop("id"), request.pop("do")
    if name not in requests:
        reply: dict[str, Any] = {"unsupported": True}
    else:
        try:
            reply = {"ok": True, **(await requests[name](**request) or {})}
        except Exception as error:  # noqa: BLE001 - whatever it is, the suite shall know
            reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps({"id": number, **reply}), flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=["publisher", "subscriber"])
    parser.add_argument("url")
    parser.add_argument("--metadata", type=Path)
    arguments = parser.parse_args()
    with security(arguments.url) as folder:
        if arguments.role == "publisher":
            metadata = Metadata.from_file(arguments.metadata) if arguments.metadata else Metadata()
            asyncio.run(publish(arguments.url, metadata, folder))
        else:
            asyncio.run(subscribe(arguments.url, folder))


if __name__ == "__main__":
    main()
