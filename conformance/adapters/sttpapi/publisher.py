"""A publisher made with `sttpapi`: `publisher.py PORT METADATA`. It can only listen."""
# ruff: noqa: I001 - here `sttp` is not our package

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

import numpy as np
from channel import from_wire, log, obey
from sttp.data.dataset import DataSet
from sttp.publisher import Publisher
from sttp.transport.constants import StateFlags
from sttp.transport.measurement import Measurement


def main(port, metadata):
    """Listen, and publish what the suite asks for.

    Args:
        port: where to listen; 0 for any free port.
        metadata: path of a metadata document.
    """
    publisher = Publisher()
    publisher.statusmessage_logger = log
    publisher.errormessage_logger = log

    def redefine_metadata(document):
        dataset, error = DataSet.from_xml(document)
        if error is not None:
            raise error
        publisher.define_metadata(dataset)

    def publish(measurements):
        # Times as int64: with uint64, which the library documents, it calculates in doubles and spoils them.
        publisher.publish_measurements(
            [
                Measurement(UUID(signal), np.float64(from_wire(value)), np.int64(time), StateFlags(flags))
                for signal, time, value, flags in measurements
            ]
        )

    def buffer_block(signal, payload):
        publisher.broadcast_buffer_block(UUID(signal), bytes.fromhex(payload))

    redefine_metadata(Path(metadata).read_text(encoding="utf-8"))
    publisher.start(int(port))
    # the library itself does not tell which port it was given
    log(f"listening on port {publisher._datapublisher._server_socket.getsockname()[1]}")
    obey(publish=publish, redefine_metadata=redefine_metadata, buffer_block=buffer_block)


if __name__ == "__main__":
    main(*sys.argv[1:])
