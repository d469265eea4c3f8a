from __future__ import annotations

import hashlib
import struct
from uuid import UUID

import pytest

from sttp.cli.fingerprint import Fingerprint
from sttp.measurement import Columns, MeasurementBatch, Signal, SignalTable

IDS = [UUID("2c518cb7-6550-5870-a559-5873e0142707"), UUID(int=2)]
SIGNALS = SignalTable.of([Signal(signal_id=signal_id) for signal_id in IDS])
BATCH = MeasurementBatch.of(SIGNALS, [0, 1, 0], [10, 10, 20], [1.5, float("nan"), -0.0], [0, 1, 2**31])


def of(*batches: MeasurementBatch) -> Fingerprint:
    fingerprint = Fingerprint()
    for batch in batches:
        fingerprint.add(batch)
    return fingerprint


def test_it_is_sha_256_over_rows_in_network_byte_order() -> None:
    rows = b"".join(
        IDS[index].bytes + struct.pack(">qIf", time, flags, value)
        for index, time, flags, value in zip(*(column.tolist() for column in BATCH.columns), strict=True)
    )
    assert of(BATCH).hexdigest() == hashlib.sha256(rows).hexdigest()
    assert of(BATCH).count == 3


def test_the_cut_into_batches_does_not_matter() -> None:
    parts = [MeasurementBatch(BATCH.columns.select(slice(n, n + 1)), SIGNALS) for n in range(3)]
    assert of(*parts) == of(BATCH)


def test_signal_indexes_do_not_matter_but_signals_do() -> None:
    turned = SignalTable.of([Signal(signal_id=signal_id) for signal_id in reversed(IDS)])
    columns = BATCH.columns._replace(signal_index=1 - BATCH.signal_index)
    assert of(MeasurementBatch(columns, turned)) == of(BATCH)
    assert of(MeasurementBatch(BATCH.columns, turned)) != of(BATCH)


@pytest.mark.parametrize("column", Columns._fields)
def test_every_column_matters(column: str) -> None:
    changed = getattr(BATCH.columns, column).copy()
    changed[0] = 1
    assert of(MeasurementBatch(BATCH.columns._replace(**{column: changed}), SIGNALS)) != of(BATCH)


def test_the_order_matters() -> None:
    assert of(MeasurementBatch(BATCH.columns.select(slice(None, None, -1)), SIGNALS)) != of(BATCH)


def test_it_equals_nothing_else() -> None:
    assert of(BATCH) != of(BATCH).hexdigest()
