"""A subscriber made with `sttpapi`: `subscriber.py ADDRESS REDIAL-BASE REDIAL-CAP`. It can only dial."""
# ruff: noqa: I001 - here `sttp` is not our package

from __future__ import annotations

import sys
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from channel import log, obey, to_wire
from sttp.config import Config
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
    received, lock = [], Lock()
    documents, replies = SimpleQueue(), SimpleQueue()
    subscriber = Subscriber()

    def listen(text):
        log(text)
        if text.startswith((SUCCESS, FAILURE)):
            replies.put(text)

    subscriber.statusmessage_logger = listen
    subscriber.errormessage_logger = listen
    subscriber.connectionestablished_receiver = lambda: log("connected")
    subscriber.connectionterminated_receiver = lambda: log("disconnected")

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
        reply = _next(replies, lambda: subscriber.subscribe(filter))
        if reply.startswith(FAILURE):
            raise RuntimeError(reply)

    def refresh_metadata():
        _next(documents, subscriber.request_metadata)
        return {"signals": [str(each.signalid) for each in subscriber.metadatacache.measurement_records]}

    def user_command(number, payload=""):
        subscriber.send_usercommand(ServerCommand(ServerCommand.USERCOMMAND00 + number), bytes.fromhex(payload))

    subscriber.newmeasurements_receiver = receive
    subscriber.metadatanotification_receiver = documents.put
    subscriber.subscribe(EVERYTHING)
    config = Config(retryinterval=float(redial_base), maxretryinterval=float(redial_cap))
    # it does not return before somebody listens
    Thread(target=lambda: log(subscriber.connect(address, config) or "connecting is done"), daemon=True).start()
    obey(
        report=report,
        subscribe=subscribe,
        unsubscribe=subscriber.unsubscribe,
        refresh_metadata=refresh_metadata,
        user_command=user_command,
    )


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
