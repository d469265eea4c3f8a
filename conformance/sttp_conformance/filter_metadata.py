"""The metadata of a publisher to which the filter expressions with known results are put (`filter_vectors.py`).

The vectors are about a data set whose table ActiveMeasurements stands there as it is. A publisher makes that table of
its metadata, so `METADATA` has the standard tables from which the same rows follow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final
from uuid import UUID
from xml.etree import ElementTree

from sttp_conformance.dataset import document

__all__ = ["METADATA", "RENAMED", "ROWS", "SIGNAL_IDS"]


def _sample(table: str) -> list[dict[str, str]]:
    """The rows of a table of the data set; what is null is not there."""
    root = ElementTree.fromstring((files("sttp_conformance") / "vectors" / "filter-metadata.xml").read_bytes())
    return [{cell.tag: cell.text or "" for cell in row} for row in root.findall(table)]


_SAMPLE: Final = _sample("ActiveMeasurements")

SIGNAL_IDS: Final = tuple(UUID(row["SignalID"]) for row in _SAMPLE)
"""The signals by the number of their row."""

RENAMED: Final = {"SignalType": "SignalAcronym", "Device": "DeviceAcronym"}
"""Columns of ActiveMeasurements that have another name in MeasurementDetail."""

_KEPT: Final = ("ID", "SignalID", "PointTag", "SignalReference", "Description", "UpdatedOn")


def _measurements() -> list[dict[str, object]]:
    indexes = {"10": 1, "11": 2, "12": 1}
    rows = []
    for sample in _SAMPLE:
        row: dict[str, object] = {name: sample[name] for name in _KEPT if name in sample}
        row |= {new: sample[old] for old, new in RENAMED.items() if old in sample}
        if "PhasorID" in sample:
            row["PhasorSourceIndex"] = indexes[sample["PhasorID"]]
        rows.append({**row, "Internal": str(sample["Internal"] == "1").lower(), "Enabled": "true"})
    return rows


ROWS: Final[Sequence[Mapping[str, object]]] = _measurements()
"""The rows of MeasurementDetail."""

_FIRST: Final = {"Acronym": "AAA", "Name": "counts as 0", "UniqueID": UUID(int=1, version=4), "FramesPerSecond": 30}


def _devices() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [dict(_FIRST)]  # devices are numbered from 0, those of the data set from 1
    rows += [dict(row) for row in _sample("DeviceDetail")]
    common = {"ProtocolName": "IEEE C37.118-2005", "IsConcentrator": "false", "Enabled": "true"}
    return [{**common, **row} for row in rows]


def _phasors() -> list[dict[str, object]]:
    return [
        {
            "ID": number,
            "DeviceAcronym": device,
            "Label": f"phasor {number}",
            "Type": kind,
            "Phase": phase,
            "SourceIndex": index,
        }
        for number, device, kind, phase, index in (
            (10, "SHELBY", "V", "+", 1),
            (11, "SHELBY", "I", "A", 2),
            (12, "Cordova", "V", "A", 1),
        )
    ]


def _with_types(metadata: bytes) -> bytes:
    """Metadata with the table TypeTest of the data set, which has a column of every type."""
    sample = (files("sttp_conformance") / "vectors" / "filter-metadata.xml").read_text("utf-8")
    (schema,) = re.findall(
        r'<xs:element name="TypeTest">.*?</xs:sequence></xs:complexType></xs:element>', sample, re.DOTALL
    )
    rows = "".join(re.findall(r"<TypeTest>.*?</TypeTest>\s*", sample, re.DOTALL))
    return (
        metadata.decode()
        .replace("</xs:choice>", f"{schema}</xs:choice>")
        .replace("</DataSet>", f"{rows}</DataSet>")
        .encode()
    )


METADATA: Final = _with_types(
    document(
        {
            "DeviceDetail": _devices(),
            "MeasurementDetail": ROWS,
            "PhasorDetail": _phasors(),
            "SchemaVersion": [{"VersionNumber": 14}],
        }
    )
)
"""Metadata from which the table of the vectors follows."""
