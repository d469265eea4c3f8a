"""A subscriber made with `sttpapi`: `subscriber.py ADDRESS REDIAL-BASE REDIAL-CAP`. It can only dial."""
# ruff: noqa: I001 - here `sttp` is not our package

from __future__ import annotations

import sys
from queue import SimpleQueue
from threading import Lock, Thread

from channel import log, obey, to_wire
from sttp.config import Config
from sttp.subscriber import Subscriber
from sttp.transport.constants import ServerCommand

EVERYTHING = "FILTER ActiveMeasurements WHERE True"

PATIENCE = 8.0
"""Seconds to wait for metadata."""


def main(address, redial_base, redial_cap):
    """Dial, subscribe to everything, and report what arrives.

    Args:
        address: `host:port` of the publisher.
        redial_base: seconds of the first wait before dialing again.
        redial_cap: seconds of the longest wait.
    """
    received, lock = [], Lock()
    documents = SimpleQueue()
    subscriber = Subscriber()
    subscriber.statusmessage_logger = log
    subscriber.errormessage_logger = log
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

    def refresh_metadata():
        while not documents.empty():
            documents.get()
        subscriber.request_metadata()
        documents.get(timeout=PATIENCE)
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
        subscribe=lambda filter: subscriber.subscribe(filterexpression=filter),
        unsubscribe=subscriber.unsubscribe,
        refresh_metadata=refresh_metadata,
        user_command=user_command,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
