import csv
from decimal import Decimal
from importlib.resources import as_file, files
from pathlib import Path
from uuid import UUID

import pytest

from sttp.errors import MetadataError, UsageError
from sttp.limits import Limits
from sttp.measurement import Signal
from sttp.metadata import (
    Column,
    ColumnType,
    DataSet,
    DeviceRecord,
    MeasurementRecord,
    Metadata,
    PhasorRecord,
    Table,
)

NODE = UUID(int=9)
DEVICE = DeviceRecord(acronym="A", node_id=NODE, longitude=Decimal("1.5"))
FREQUENCY = MeasurementRecord(signal_id=UUID(int=1), key="A:1", tag="A:FREQ", device_acronym="A", signal_type="FREQ")
DISABLED = MeasurementRecord(signal_id=UUID(int=2), key="A:2", tag="A:DFDT", enabled=False)
ANGLE = MeasurementRecord(signal_id=UUID(int=3), key="A:3", tag="A:V1A", phasor_source_index=1)
PHASOR = PhasorRecord(device_acronym="A", source_index=1)

METADATA = Metadata.of(devices=[DEVICE], measurements=[FREQUENCY, DISABLED, ANGLE], phasors=[PHASOR])


def test_what_was_put_in_comes_out() -> None:
    assert METADATA.devices == (DEVICE,)
    assert METADATA.measurements == (FREQUENCY, DISABLED, ANGLE)
    assert METADATA.phasors == (PHASOR,)
    assert METADATA.schema_version == 14
    assert METADATA.node_id == NODE
    assert repr(METADATA) == "<Metadata: 1 DeviceDetail, 3 MeasurementDetail, 1 PhasorDetail, 1 SchemaVersion>"


def test_written_and_read_again_it_is_equal() -> None:
    again = Metadata.read(METADATA.write())
    assert again == METADATA
    assert again != Metadata()
    assert again.devices == METADATA.devices


def test_signals_are_the_enabled_measurements() -> None:
    assert list(METADATA.signals) == [
        Signal(signal_id=UUID(int=1), key="A:1", tag="A:FREQ"),
        Signal(signal_id=UUID(int=3), key="A:3", tag="A:V1A"),
    ]
    assert METADATA.signals is METADATA.signals
    assert list(METADATA.active_measurements.column("SignalID")) == [UUID(int=1), UUID(int=3)]


def test_tags_are_those_of_all_measurements() -> None:
    assert METADATA.tags == {UUID(int=1): "A:FREQ", UUID(int=2): "A:DFDT", UUID(int=3): "A:V1A"}
    table = Table("MeasurementDetail", (Column("SignalID", ColumnType.GUID),), ((None, UUID(int=1)),))
    assert Metadata(DataSet(tables=(table,))).tags == {UUID(int=1): ""}


def test_no_metadata() -> None:
    nothing = Metadata.read(b"")
    assert nothing == Metadata()
    assert nothing.devices == nothing.measurements == nothing.phasors == ()
    assert len(nothing.signals) == 0
    assert nothing.tags == {}
    assert nothing.schema_version is None
    assert nothing.node_id == UUID(int=0)
    assert repr(nothing) == "<Metadata: none>"
    assert Metadata.read(nothing.write()) == nothing


def test_the_other_name_of_the_version_table() -> None:
    table = Table("VersionInfo", (Column("VersionNumber", ColumnType.INT64),), ((None, 9),))
    assert Metadata(DataSet(tables=(table,))).schema_version == 9


def test_what_cannot_be_written() -> None:
    with pytest.raises(UsageError):
        Metadata.of(devices=[DeviceRecord(acronym="\0")]).write()


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "metadata.xml"
    with pytest.raises(MetadataError, match="cannot read"):
        Metadata.from_file(path)
    path.write_bytes(METADATA.write())
    assert Metadata.from_file(str(path)) == METADATA
    with pytest.raises(MetadataError, match="limit of 100"):
        Metadata.from_file(path, limits=Limits(metadata=100))


def test_the_data_that_is_shipped_for_the_demonstration() -> None:
    data = files("sttp") / "data"
    with as_file(data / "kundur-two-area-fault.metadata.xml") as path:
        metadata = Metadata.from_file(path)
    with (data / "kundur-two-area-fault-60fps.csv").open(encoding="utf-8") as file:
        header = next(csv.reader(file))
    assert metadata.dataset.problems == ()
    assert list(metadata.signals.tags) == header[1:]
    assert (len(metadata.devices), len(metadata.phasors), metadata.schema_version) == (10, 10, 14)
    assert (data / "README.md").is_file()
