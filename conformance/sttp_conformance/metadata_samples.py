"""Metadata of the suite's signals, written in the ways in which others write it, and in some in which nobody should."""

from __future__ import annotations

import base64
import random
import re
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sttp_conformance.dataset import document
from sttp_conformance.grid import DEVICE, MEASUREMENTS, METADATA

__all__ = [
    "MUST_BE_READ",
    "as_dotnet_writes_it",
    "bomb",
    "gzip_without_end",
    "in_any_order",
    "with_entity",
    "with_external_entity",
    "with_many_devices",
]

_TEXT: Final = METADATA.decode()
_GUID: Final = "System.Guid, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_VERSION: Final = MappingProxyType({"SchemaVersion": [{"VersionNumber": 14}]})
_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>'


def as_dotnet_writes_it() -> bytes:
    """Another root, attributes of .NET's own, a column without a type, and its long name of a Guid."""
    text = _TEXT.replace(_DECLARATION, '<?xml version="1.0" standalone="yes"?>')
    text = re.sub(r"\bDataSet\b", "NewDataSet", text).replace("ext:", "msdata:").replace("xmlns:ext", "xmlns:msdata")
    text = text.replace("<xs:schema ", '<xs:schema xmlns="" ').replace("System.Guid", _GUID)
    text = text.replace(
        '<xs:element name="NewDataSet">',
        '<xs:element name="NewDataSet" msdata:IsDataSet="true" msdata:UseCurrentLocale="true">',
    )
    text = text.replace('type="xs:dateTime"', 'type="xs:dateTime" msdata:DateTimeMode="Unspecified"')
    return text.replace(
        '<xs:element name="Description" type="xs:string" minOccurs="0" />',
        '<xs:element name="Description" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string">'
        '<xs:maxLength value="200" /></xs:restriction></xs:simpleType></xs:element>',
    ).encode()


def in_any_order() -> bytes:
    """Rows and cells the other way round, the tables mixed."""
    rows = [dict(reversed(each.items())) for each in reversed(MEASUREMENTS)]
    text = document({**_VERSION, "MeasurementDetail": rows, "DeviceDetail": [dict(reversed(DEVICE.items()))]}).decode()
    device = re.search(r"<DeviceDetail>.*?</DeviceDetail>\n", text, re.DOTALL)
    assert device is not None
    return text.replace(device[0], "").replace("<MeasurementDetail>", f"{device[0]}<MeasurementDetail>", 1).encode()


def _varied(column: str, *forms: str) -> bytes:
    """The cells of a column of `MeasurementDetail` in other forms, one for each row, as long as there are any.

    Args:
        column: name of the column.
        forms: each a text, with {} for what stands there otherwise.
    """
    rows = [
        {**row, column: form.format(row[column])} for row, form in zip(MEASUREMENTS, forms, strict=False)
    ] + MEASUREMENTS[len(forms) :]
    return document({"DeviceDetail": [DEVICE], "MeasurementDetail": rows, **_VERSION})


def _with_unknown_elements() -> bytes:
    text = _TEXT.replace("<MeasurementDetail>", "<MeasurementDetail><Unheard>of</Unheard>", 1)
    text = text.replace("<DeviceDetail>", '<DeviceDetail note="none">', 1)
    return text.replace("</DataSet>", "<Extra><ID>1</ID></Extra></DataSet>").encode()


def _with_unreadable_cells() -> bytes:
    text = _TEXT.replace("</Internal>", "</Internal><PhasorSourceIndex>abc</PhasorSourceIndex>", 1)
    text = text.replace("</CompanyAcronym>", f"</CompanyAcronym><Longitude>1{'0' * 49}.5</Longitude>", 1)
    text = text.replace(
        '<xs:element name="Internal"',
        '<xs:element name="Lag" type="xs:duration" minOccurs="0" /><xs:element name="Internal"',
    )
    return text.replace("<Internal>", "<Lag>PT1S</Lag><Internal>", 1).encode()


def _without_signal_ids() -> bytes:
    rows: list[dict[str, object]] = [{name: cell for name, cell in MEASUREMENTS[0].items() if name != "SignalID"}]
    rows.append({**MEASUREMENTS[0], "SignalID": "00000000-0000-0000-0000-000000000000"})
    return document({"DeviceDetail": [DEVICE], "MeasurementDetail": [*rows, *MEASUREMENTS], **_VERSION})


def _without_tables() -> bytes:
    """`MeasurementDetail` alone, with few columns."""
    kept = ("ID", "SignalID", "PointTag", "SignalAcronym")
    text = document({"MeasurementDetail": [{name: row[name] for name in kept} for row in MEASUREMENTS]}).decode()
    for table in ("DeviceDetail", "PhasorDetail", "SchemaVersion"):
        text = re.sub(rf'<xs:element name="{table}">.*?</xs:sequence></xs:complexType></xs:element>', "", text)
    others = rf'<xs:element name="(?!DataSet|MeasurementDetail|(?:{"|".join(kept)})")\w+" [^>]*/>'
    return re.sub(others, "", text).encode()


def with_many_devices(size: int) -> bytes:
    """The suite's signals, and so many bytes of devices, with texts that hardly any compression makes smaller."""
    chance = random.Random(size)
    devices = [DEVICE]
    while size > 0:
        acronym = f"DEVICE{len(devices)}"
        name = base64.b64encode(chance.randbytes(6_000)).decode()
        devices.append({**DEVICE, "UniqueID": UUID(int=chance.getrandbits(128)), "Acronym": acronym, "Name": name})
        size -= 8_600
    return document({"DeviceDetail": devices, "MeasurementDetail": MEASUREMENTS, **_VERSION})


def with_entity() -> bytes:
    """A DTD with one entity, which is used."""
    return _with_doctype('<!ENTITY note "signal 1">', "&note;")


def with_external_entity(url: str) -> bytes:
    """A DTD with an entity that stands elsewhere."""
    return _with_doctype(f'<!ENTITY note SYSTEM "{url}">', "&note;")


def bomb() -> bytes:
    """Entities of entities, a hundred million characters in all."""
    entities = '<!ENTITY a0 "0123456789">' + "".join(
        f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 8)
    )
    return _with_doctype(entities, "&a7;")


def _with_doctype(declarations: str, used: str) -> bytes:
    text = _TEXT.replace("<DataSet>", f"<!DOCTYPE DataSet [{declarations}]>\n<DataSet>", 1)
    return text.replace("<Description>signal 1</Description>", f"<Description>{used}</Description>").encode()


def gzip_without_end() -> bytes:
    """Ten mebibytes of gzip that are ten gibibytes of blanks: one piece that depends on nothing before, many times."""
    writer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = writer.compress(b" " * 2**24) + writer.flush(zlib.Z_FULL_FLUSH)
    header = b"\\x1f\\x8b\\x08" + bytes(6) + b"\\xff"
    return header + piece * 640 + writer.flush() + bytes(8)


MUST_BE_READ: Final[Mapping[str, bytes]] = MappingProxyType(
    {
        "unknown elements": _with_unknown_elements(),
        "unreadable cells": _with_unreadable_cells(),
        "rows without a signal ID": _without_signal_ids(),
        "few tables and columns": _without_tables(),
        "dates of every form": _varied(
            "UpdatedOn",
            "2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5", "2026-01-01T00:00:00.1234567",
            "2026-01-01T00:00:00.76-05:00", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.123456Z",
        ),
        "Guids of every form": _varied(
            "SignalID", "{{{}}}", "{}", *(str(row["SignalID"]).upper() for row in MEASUREMENTS[2:5])
        ),
        "a byte order mark": b"\xef\xbb\xbf" + METADATA,
        "UTF-16": _TEXT.replace('encoding="utf-8"', 'encoding="utf-16"').encode("utf-16"),
    }
)  # fmt: skip
"""Documents by what is special about them. Each has exactly the signals of the suite."""
