"""Metadata from CSV files, and as data frames."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import UUID

import pandas
import pytest

from sttp import ticks
from sttp.errors import MetadataError, UsageError
from sttp.metadata import DeviceRecord, MeasurementRecord, Metadata, PhasorRecord, simulated_metadata


def written(directory: Path, text: str, name: str = "signals.csv") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def test_tags_alone_are_enough(tmp_path: Path) -> None:
    path = written(tmp_path, "PointTag\nONE\nTWO\n")
    metadata = Metadata.from_csv(path)
    assert [(each.key, each.tag, each.enabled, each.internal) for each in metadata.measurements] == [
        ("CSV:1", "ONE", True, True),
        ("CSV:2", "TWO", True, True),
    ]
    assert metadata.devices == metadata.phasors == ()
    assert metadata == Metadata.from_file(path)
    (tmp_path / "other").mkdir()
    other = Metadata.from_csv(written(tmp_path / "other", "tag\nTWO\n"), source="GRID")
    assert other.measurements[0].signal_id == metadata.measurements[1].signal_id
    assert other.measurements[0].key == "GRID:1"


def test_the_header_names_columns_or_attributes_in_any_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "\ufeffphasor_source_index,SIGNALID, pointtag ,device_acronym,ID,Enabled,UpdatedOn\r\n"
        "1,{00000000-0000-0000-0000-000000000007},A:V1M,A,PPA:7,,2026-03-14T15:09:26.5Z\r\n"
        "\r\n"
        ',,"B, second",b,,false,\r\n',
    )
    first, second = Metadata.from_csv(path).measurements
    assert first == MeasurementRecord(
        signal_id=UUID(int=7), tag="A:V1M", device_acronym="A", key="PPA:7", phasor_source_index=1,
        updated_on=ticks.from_iso("2026-03-14T15:09:26.5Z"),
    )  # fmt: skip
    assert (second.tag, second.enabled, second.key) == ("B, second", False, "CSV:2")
    assert [device.acronym for device in Metadata.from_csv(path).devices] == ["A", "b"]


def test_devices_and_phasors_have_files_of_their_own(tmp_path: Path) -> None:
    signals = written(tmp_path, "tag,DeviceAcronym\nA:F,A\n")
    devices = written(tmp_path, "Acronym,FramesPerSecond,Longitude\nA,50,7.5\n", "devices.csv")
    phasors = written(tmp_path, "DeviceAcronym,SourceIndex,Type\nA,1,V\n", "phasors.csv")
    metadata = Metadata.from_csv(signals, devices=devices, phasors=phasors)
    (device,) = metadata.devices
    assert isinstance(device, DeviceRecord)
    assert (device.frames_per_second, str(device.longitude), device.enabled) == (50, "7.5", True)
    assert metadata.phasors == (PhasorRecord(device_acronym="A", source_index=1, type="V"),)
    assert Metadata.read(metadata.write()) == metadata


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has no header; its first line must name columns, such as DeviceAcronym"),
        ("PointTga\nA\n", "line 1: MeasurementDetail has no column 'PointTga'; do you mean PointTag"),
        ("tag,PointTag\nA,B\n", "line 1: the column PointTag occurs twice"),
        ("tag,SignalID\nA,17\n", "line 2, SignalID: '17' is no Guid"),
        ("tag,Enabled\nA,yes\n", "line 2, Enabled: 'yes' is no integer"),
        ("tag,SignalID\nA,\n,\n", "line 3: neither a SignalID nor a PointTag"),
        ("tag\nA\nB\nA\n", "line 4: the signal of line 2 again"),
        ("tag,key\nA,G:7\nB,G:8\nC,G:7\n", "line 4: the measurement key G:7 of line 2 again"),
        ("tag,key\nA,CSV:2\nB,\n", "line 3: the measurement key CSV:2 of line 2 again"),
        ("tag\nA\nB\x00\n", r"line 3, PointTag: XML cannot hold the character '\\x00'"),
        ("tag,key\nA\n", "line 2: 1 cells under 2 columns"),
        ('tag\n"A\n', "no CSV"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(MetadataError, match=complaint):
        Metadata.from_csv(written(tmp_path, text))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="cannot read .*No such file"):
        Metadata.from_csv(tmp_path / "missing.csv")
    (tmp_path / "utf-16.csv").write_bytes("tag\nA\n".encode("utf-16"))
    with pytest.raises(MetadataError, match="not in UTF-8"):
        Metadata.from_csv(tmp_path / "utf-16.csv")
    signals = written(tmp_path, "tag\nA\n")
    with pytest.raises(MetadataError, match="devices.csv: DeviceDetail needs a column Acronym"):
        Metadata.from_csv(signals, devices=written(tmp_path, "Name\nA\n", "devices.csv"))
    with pytest.raises(MetadataError, match="phasors.csv, line 3: no SourceIndex"):
        Metadata.from_csv(signals, phasors=written(tmp_path, "DeviceAcronym,SourceIndex\nA,1\nA,\n", "phasors.csv"))


def test_a_signal_that_comes_again_after_many_others_is_found_at_once(tmp_path: Path) -> None:
    # by comparing each line with all before it, this took minutes
    lines = [f"T{number}" for number in range(20_000)]
    begin = time.process_time()
    with pytest.raises(MetadataError, match="line 20002: the signal of line 20001 again"):
        Metadata.from_csv(written(tmp_path, "\n".join(["tag", *lines, lines[-1]])))
    assert time.process_time() - begin < 5


def test_tables_as_data_frames() -> None:
    metadata = simulated_metadata(40)
    frame = metadata.to_pandas()
    assert list(frame.columns) == [column.name for column in metadata.dataset.table("MeasurementDetail").columns]
    assert frame["SignalID"].tolist() == [str(each.signal_id) for each in metadata.measurements]
    assert frame["Enabled"].dtype == "boolean"
    assert frame["PhasorSourceIndex"].isna().sum() == 16
    devices = metadata.to_pandas("devicedetail")
    assert devices["FramesPerSecond"].tolist() == [30, 30]
    active = metadata.to_pandas("ActiveMeasurements")
    assert (len(active), active["Latitude"].dtype) == (40, "Float64")
    with pytest.raises(UsageError, match="no table Nothing; there are DeviceDetail, .*ActiveMeasurements"):
        metadata.to_pandas("Nothing")


def test_times_in_data_frames() -> None:
    long_ago = MeasurementRecord(signal_id=UUID(int=1), updated_on=0)
    lately = MeasurementRecord(signal_id=UUID(int=2), updated_on=ticks.from_iso("2026-03-14T15:09:26.5Z"))
    frame = Metadata.of(measurements=[long_ago, lately, MeasurementRecord(signal_id=UUID(int=3))]).to_pandas()
    assert frame["UpdatedOn"].isna().tolist() == [True, False, True]
    assert frame["UpdatedOn"][1] == pandas.Timestamp("2026-03-14T15:09:26.5Z")
