"""One end of the stream made with `sttpapi`, for the same scenarios and with the same answers as `sttp bench` has.

It runs under the Python of another environment, where `sttp` is the package of `sttpapi`, as
`peer_end.py publisher METADATA SCENARIO URL` or `peer_end.py subscriber METADATA SCENARIO URL FILTER`.
"""
# ruff: noqa: I001 - here `sttp` is not our package

from __future__ import annotations

import json
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from sttp.config import Config
from sttp.data.dataset import DataSet
from sttp.publisher import Publisher
from sttp.settings import Settings
from sttp.subscriber import Subscriber
from sttp.transport.constants import StateFlags
from sttp.transport.measurement import Measurement

UNIX_EPOCH = 621_355_968_000_000_000
STEP = 333_333
FRAMES = 40


def now():
    """The time in ticks."""
    return UNIX_EPOCH + time.time_ns() // 100


def main(role, metadata, scenario, url, filter_expression=""):
    """Run an end, and answer the lines on stdin until there are no more."""
    scenario = json.loads(scenario)
    if role == "publisher":
        facts = publish(Path(metadata).read_text(encoding="utf-8"), scenario)
    else:
        facts = subscribe(int(url.rpartition(":")[2]), filter_expression, scenario)
    sys.stderr = sys.stdout  # its threads complain when the other end is gone
    for _ in sys.stdin:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        memory = {
            name: int(status.partition(f"\n{word}:")[2].split(maxsplit=1)[0]) * 1024
            for name, word in (("resident", "VmRSS"), ("peak", "VmHWM"))
        }
        say(time=time.monotonic(), cpu=time.process_time(), **memory, **facts())
    os._exit(0)  # the library has threads that nobody can join


warnings.filterwarnings("ignore")
answers, sys.stdout = sys.stdout, Path(os.devnull).open("w")  # noqa: SIM115 - the library prints too


def say(**facts):
    """Tell the benchmark."""
    print(json.dumps(facts), file=answers, flush=True)


def publish(metadata, scenario):
    """Publish in a thread as fast as it goes, or a measurement each millisecond; returns what tells how many."""
    publisher = Publisher()
    publisher.statusmessage_logger = publisher.errormessage_logger = lambda text: None
    dataset, error = DataSet.from_xml(metadata)
    if error is not None:
        raise error
    publisher.define_metadata(dataset)
    table = dataset["MeasurementDetail"]
    column = table.column_byname("SignalID").index
    signals = [table.row(row).value(column)[0] for row in range(table.rowcount)]
    count = 0

    def pump():
        nonlocal count
        # the library itself does not tell; what is published before somebody has subscribed goes nowhere
        while not any(each.is_subscribed for each in tuple(publisher._datapublisher._subscriber_connections)):
            time.sleep(0.01)
        if scenario["latency"]:
            while True:
                publisher.publish_measurements(
                    [Measurement(signals[0], np.float64(60), np.int64(now()), StateFlags(0))]
                )
                count += 1
                time.sleep(0.001)
        batches = made_beforehand(signals, scenario["batch"])
        lap = 0
        while True:
            for batch, times in batches:
                # as little as can be done to have new times: the objects stay
                for measurement, each in zip(batch, times + lap, strict=True):
                    measurement.timestamp = each
                publisher.publish_measurements(batch)
                count += len(batch)
            lap += FRAMES * STEP

    publisher.start(0)
    say(url=f"tcp://127.0.0.1:{publisher._datapublisher._server_socket.getsockname()[1]}")
    threading.Thread(target=pump, daemon=True).start()
    return lambda: {"measurements": count, "bytes": 0, "dropped": 0, "subscriptions": 1}


def made_beforehand(signals, size):
    """Batches of noisy measurements with the times of each, `FRAMES` frames in all, as `sttp bench` has them."""
    random = np.random.default_rng(1)
    nominal = random.uniform(50, 500_000, len(signals))
    total = len(signals) * FRAMES
    values = np.tile(nominal, FRAMES) * (1 + random.normal(0, 1e-4, total))
    times = 638_400_000_000_000_000 + np.arange(total, dtype=np.int64) // len(signals) * STEP
    flags = StateFlags(0)
    whole = [
        Measurement(signals[at % len(signals)], np.float64(np.float32(values[at])), times[at], flags)
        for at in range(total)
    ]
    return [(whole[at : at + size], times[at : at + size]) for at in range(0, total - size + 1, size)]


def subscribe(port, filter_expression, scenario):
    """Subscribe; returns what tells how many measurements have come, and how long they took."""
    subscriber = Subscriber()
    subscriber.statusmessage_logger = subscriber.errormessage_logger = lambda text: None
    count = 0
    latencies = []

    def take(measurements):
        nonlocal count
        count += len(measurements)
        if scenario["latency"]:
            arrived = now()
            latencies.extend((arrived - int(each.timestamp)) / 10_000_000 for each in measurements)

    subscriber.newmeasurements_receiver = take
    subscriber.subscribe(filter_expression, Settings())
    error = subscriber.connect(
        f"127.0.0.1:{port}", Config(compress_payloaddata=scenario["encoding"] == "tssc", autorequestmetadata=False)
    )
    if error is not None:
        raise error
    say(url=None)

    def facts():
        taken = latencies[:]
        del latencies[: len(taken)]
        received = int(subscriber.total_commandchannel_bytesreceived + subscriber.total_datachannel_bytesreceived)
        return {"measurements": count, "bytes": received, "dropped": 0, "gaps": 0, "latencies": taken}

    return facts


if __name__ == "__main__":
    main(*sys.argv[1:])
