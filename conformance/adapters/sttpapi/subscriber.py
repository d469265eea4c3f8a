"""A subscriber made with `sttpapi`: `subscriber.py ADDRESS REDIAL-BASE REDIAL-CAP`. It can only dial.

What it asks for stands in the environment; what is empty is left to the library.
"""
# ruff: noqa: I001 - here `sttp` is not our package

from __future__ import annotations

import os
import sys
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from channel import log, obey, to_wire
from sttp.config import Config
from sttp.settings import Settings
from sttp.subscriber import Subscriber
from sttp.transport.constants import ServerCommand

EVERYTHING = "FILTER ActiveMeasurements WHERE True"

PATIENCE = 8.0
"""Seconds to wait for metadata, and for a reply to Subscribe. An answer is due within ten."""

SUCCESS, FAILURE = (f"Received {how} code in response to server command: SUBSCRIBE" for how in ("success", "failure"))
"""How the library tells of replies, which it does in its messages only."""


def main(address, redial_base, redial_cap):
    """Dial, subscribe to everything, and report what arrives.

    Args:
        address: `host:port` of the publisher.
        redial_base: seconds of the first wait before dialing again.
        redial_cap: seconds of the longest wait.
    """
    received, happened, lock = [], [], Lock()
    documents, replies = SimpleQueue(), SimpleQueue()
    subscriber = Subscriber()

    def listen(text):
        log(text)
        if text.startswith((SUCCESS, FAILURE)):
            replies.put(text)
            said = text.partition("\n")[2]
            if text.startswith(SUCCESS):
                tell("subscription-accepted", text=said)
            else:
                tell("subscription-refused", reason=said)

    def tell(event, **fields):
        with lock:
            happened.append({"event": event, **fields})

    def events():
        with lock:
            found = happened.copy()
            happened.clear()
        return {"events": found}

    subscriber.statusmessage_logger = listen
    subscriber.errormessage_logger = listen
    subscriber.connectionestablished_receiver = lambda: tell("connected")
    subscriber.connectionterminated_receiver = lambda: tell("disconnected", reason="")
    subscriber.configurationchanged_receiver = lambda: tell("configuration-changed")
    subscriber.notification_receiver = lambda text: tell("notification", text=text)
    subscriber.data_starttime_receiver = lambda ticks: tell("start-time", ticks=int(ticks))
    subscriber.historicalreadcomplete_receiver = lambda: tell("processing-complete", text="")

    def take_metadata(dataset):
        tell("metadata", signals=[str(each.signalid) for each in subscriber.metadatacache.measurement_records])
        documents.put(dataset)

    def take_blocks(blocks):
        for each in blocks:
            tell("buffer-block", signal=str(each.signalid), payload=bytes(each.buffer).hex())

    subscriber.newbufferblock_receiver = take_blocks
    subscriber.userresponse_receiver = lambda response, command, data: tell(
        "user-response", number=int(response) & 0x0F, payload=bytes(data).hex()
    )

    def receive(measurements):
        rows = [
            [str(each.signalid), int(each.timestamp), to_wire(each.value), int(each.flags)]
            for each in measurements
            if each is not None  # the library has such for what a block had less than its count
        ]
        with lock:
            received.extend(rows)

    def report():
        with lock:
            rows = received.copy()
            received.clear()
        return {"measurements": rows}

    def subscribe(filter):  # noqa: A002 - the word of the contract
        reply = _next(replies, lambda: subscriber.subscribe(filter, settings))
        if reply.startswith(FAILURE):
            raise RuntimeError(reply)

    def refresh_metadata(filter=""):  # noqa: A002 - the word of the contract
        subscriber._config.metadatafilters = filter
        _next(documents, subscriber.request_metadata)
        return {"signals": [str(each.signalid) for each in subscriber.metadatacache.measurement_records]}

    def user_command(number, payload=""):
        subscriber.send_usercommand(ServerCommand(ServerCommand.USERCOMMAND00 + number), bytes.fromhex(payload))

    subscriber.newmeasurements_receiver = receive
    subscriber.metadatanotification_receiver = take_metadata
    settings = Settings(
        includetime=asked("INCLUDE_TIME", "true") == "true",
        usemillisecondresolution=asked("MILLISECONDS", "false") == "true",
        requestnanvaluefilter=asked("NAN_FILTER", "false") == "true",
    )
    subscriber.subscribe(EVERYTHING, settings)
    config = Config(
        retryinterval=float(redial_base),
        maxretryinterval=float(redial_cap),
        compress_payloaddata=asked("DATA", "tssc") == "tssc",
        version=int(asked("VERSION", "2")),
    )
    # it does not return before somebody listens
    Thread(target=lambda: log(subscriber.connect(address, config) or "connecting is done"), daemon=True).start()
    obey(
        report=report,
        events=events,
        subscribe=subscribe,
        unsubscribe=subscriber.unsubscribe,
        refresh_metadata=refresh_metadata,
        user_command=user_command,
    )


def asked(name, default):
    """What to ask for, from the environment."""
    return os.environ.get(f"STTP_{name}") or default


def _next(queue, ask):
    """What comes after asking for it, not what came before."""
    while not queue.empty():
        queue.get()
    ask()
    try:
        return queue.get(timeout=PATIENCE)
    except Empty:
        raise TimeoutError(f"no answer within {PATIENCE:g} s") from None


if __name__ == "__main__":
    main(*sys.argv[1:])
