"""A subscriber made with `sttpapi`. Its settings are the arguments of `main`."""
# ruff: noqa: I001 - here `sttp` is not our package

from __future__ import annotations

import numpy as np
from peer_lines import emit, obey, serve
from sttp.config import Config
from sttp.settings import Settings
from sttp.subscriber import Subscriber
from sttp.transport.constants import ServerCommand


def main(
    port,
    filter_expression="FILTER ActiveMeasurements WHERE True",
    encoding="tssc",
    version=2,
    gzip=True,
    metadata_filters="",
    include_time=True,
    milliseconds=False,
):
    """Connect to a publisher on this computer, ask for its metadata, then subscribe.

    Args:
        port: where the publisher listens.
        filter_expression: which signals.
        encoding: `tssc` or `compact`.
        version: version of the protocol.
        gzip: whether to ask for compressed metadata and signal index caches.
        metadata_filters: which rows of the metadata; empty for all.
        include_time: whether compact measurements are to have times.
        milliseconds: whether offsets to a base time are to be milliseconds.
    """
    subscriber = Subscriber()
    subscriber.statusmessage_logger = lambda text: emit("status", text=text)
    subscriber.errormessage_logger = lambda text: emit("error", text=text)
    subscriber.connectionestablished_receiver = lambda: emit("connected")
    subscriber.connectionterminated_receiver = lambda: emit("disconnected")
    subscriber.metadatanotification_receiver = lambda dataset: _emit_metadata(subscriber.metadatacache, dataset)
    subscriber.subscriptionupdated_receiver = _emit_signals
    subscriber.newmeasurements_receiver = _emit_measurements
    subscriber.configurationchanged_receiver = lambda: emit("configuration changed")
    subscriber.newbufferblock_receiver = _emit_buffer_blocks
    subscriber.userresponse_receiver = lambda response, command, data: emit(
        "user response", response=int(response), command=int(command), data=data.hex()
    )

    settings = Settings(includetime=include_time, usemillisecondresolution=milliseconds)
    config = Config(
        version=np.byte(version),
        compress_payloaddata=encoding == "tssc",
        compress_metadata=gzip,
        compress_signalindexcache=gzip,
        metadatafilters=metadata_filters,
        retryinterval=0.1,
        maxretryinterval=0.1,
    )
    subscriber.subscribe(filter_expression, settings)
    error = subscriber.connect(f"127.0.0.1:{port}", config)
    if error is not None:
        emit("error", text=str(error))
    obey(
        subscribe=lambda filter_expression: subscriber.subscribe(filter_expression, settings),
        unsubscribe=subscriber.unsubscribe,
        send_user_command=lambda number, data: subscriber.send_usercommand(
            ServerCommand(ServerCommand.USERCOMMAND00 + number), bytes.fromhex(data)
        ),
    )


def _emit_metadata(cache, dataset):
    """How many rows each table has, and what the library made of measurements, devices and phasors."""
    emit(
        "metadata",
        rows={table.name: table.rowcount for table in dataset.tables()},
        measurements=[
            [str(each.signalid), f"{each.source}:{each.id}", each.pointtag, each.signalacronym, each.deviceacronym]
            for each in cache.measurement_records
        ],
        devices=[[each.acronym, each.name, int(each.framespersecond)] for each in cache.device_records],
        phasors=[[each.deviceacronym, each.label, each.type, each.phase] for each in cache.phasor_records],
    )


def _emit_signals(cache):
    """Signal ID and measurement key by signal index."""
    records = [cache.record(np.int32(index)) for index in range(int(cache.count))]
    emit("signals", signals=[[str(signal_id), f"{source}:{number}"] for signal_id, source, number, _ in records])


def _emit_measurements(measurements):
    """One packet, in columns. A value is given as the bits of its binary32."""
    values = np.array([measurement.value for measurement in measurements], np.float64).astype(np.float32)
    emit(
        "measurements",
        signal_id=[str(measurement.signalid) for measurement in measurements],
        ticks=[int(measurement.timestamp) for measurement in measurements],
        flags=[int(measurement.flags) for measurement in measurements],
        bits=values.view(np.uint32).tolist(),
    )


def _emit_buffer_blocks(blocks):
    for block in blocks:
        emit("buffer block", signal_id=str(block.signalid), data=bytes(block.buffer).hex())


if __name__ == "__main__":
    serve(main)
