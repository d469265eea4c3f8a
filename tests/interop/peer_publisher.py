"""A publisher made with `sttpapi`. Its settings are the arguments of `main`."""
# ruff: noqa: I001 - here `sttp` is not our package

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import numpy as np
from peer_lines import emit, obey, serve
from sttp.data.dataset import DataSet
from sttp.publisher import Publisher
from sttp.transport.constants import ServerCommand, ServerResponse, StateFlags
from sttp.transport.measurement import Measurement

PACKET = 1000
"""Measurements handed over at once. The library puts them into one compact packet, however long."""


def main(port=0, metadata=None, ticks_type="uint64"):
    """Listen, and publish what the commands say. User commands are answered with what they bring.

    Args:
        port: where to listen; 0 for any free port.
        metadata: path of a metadata document; a publisher without it has nothing.
        ticks_type: NumPy type in which times are handed over. The library documents uint64.
    """
    publisher = Publisher()
    publisher.statusmessage_logger = lambda text: emit("status", text=text)
    publisher.errormessage_logger = lambda text: emit("error", text=text)
    publisher.clientconnected_receiver = lambda connection: emit("connected")
    publisher.clientdisconnected_receiver = lambda connection: emit("disconnected")
    publisher.usercommand_receiver = lambda connection, command, data: publisher.send_userresponse(
        connection, ServerResponse(ServerResponse.USERRESPONSE00 + (command & 0x0F)), ServerCommand(command), data
    )

    def define_metadata(path):
        dataset, error = DataSet.from_xml(Path(path).read_text(encoding="utf-8"))
        if error is not None:
            raise error
        publisher.define_metadata(dataset)

    if metadata is not None:
        define_metadata(metadata)
    publisher.start(port)
    # the library itself does not tell which port it was given
    emit("listening", port=publisher._datapublisher._server_socket.getsockname()[1])

    def publish(signal_id, ticks, flags, bits):
        values = np.array(bits, np.uint32).view(np.float32)
        times = np.array(ticks, ticks_type)
        measurements = [
            Measurement(UUID(signal), np.float64(value), time, StateFlags(state))
            for signal, value, time, state in zip(signal_id, values, times, flags, strict=True)
        ]
        for start in range(0, len(measurements), PACKET):
            publisher.publish_measurements(measurements[start : start + PACKET])

    def send_buffer_block(signal_id, data):
        publisher.broadcast_buffer_block(UUID(signal_id), bytes.fromhex(data))

    obey(publish=publish, send_buffer_block=send_buffer_block, define_metadata=define_metadata)


if __name__ == "__main__":
    serve(main)
