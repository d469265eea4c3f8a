"""A subscriber made with `sttpapi`: `subscriber.py ADDRESS REDIAL-BASE REDIAL-CAP`. It can only dial."""
# ruff: noqa: I001 - here `sttp` is not our package

from __future__ import annotations

import sys
from threading import Lock, Thread

from channel import log, obey, to_wire
from sttp.config import Config
from sttp.subscriber import Subscriber

EVERYTHING = "FILTER ActiveMeasurements WHERE True"


def main(address, redial_base, redial_cap):
    """Dial, subscribe to everything, and report what arrives.

    Args:
        address: `host:port` of the publisher.
        redial_base: seconds of the first wait before dialing again.
        redial_cap: seconds of the longest wait.
    """
    received, lock = [], Lock()
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

    subscriber.newmeasurements_receiver = receive
    subscriber.subscribe(EVERYTHING)
    config = Config(retryinterval=float(redial_base), maxretryinterval=float(redial_cap))
    # it does not return before somebody listens
    Thread(target=lambda: log(subscriber.connect(address, config) or "connecting is done"), daemon=True).start()
    obey(report=report)


if __name__ == "__main__":
    main(*sys.argv[1:])
