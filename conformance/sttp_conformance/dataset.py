"""Metadata documents (wire.md 8.2), written by the suite: a data set with its schema inline, as .NET has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from xml.sax.saxutils import escape

__all__ = ["TABLES", "document"]

TABLES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "DeviceDetail": {
            "NodeID": "guid", "UniqueID": "guid", "OriginalSource": "string", "IsConcentrator": "boolean",
            "Acronym": "string", "Name": "string", "AccessID": "int", "ParentAcronym": "string",
            "ProtocolName": "string", "FramesPerSecond": "int", "CompanyAcronym": "string", "VendorAcronym": "string",
            "VendorDeviceName": "string", "Longitude": "decimal", "Latitude": "decimal",
            "InterconnectionName": "string", "ContactList": "string", "Enabled": "boolean", "UpdatedOn": "dateTime",
        },
        "MeasurementDetail": {
            "DeviceAcronym": "string", "ID": "string", "SignalID": "guid", "PointTag": "string",
            "SignalReference": "string", "SignalAcronym": "string", "PhasorSourceIndex": "int",
            "Description": "string", "Internal": "boolean", "Enabled": "boolean", "UpdatedOn": "dateTime",
        },
        "PhasorDetail": {
            "ID": "int", "DeviceAcronym": "string", "Label": "string", "Type": "string", "Phase": "string",
            "DestinationPhasorID": "int", "SourceIndex": "int", "BaseKV": "int", "UpdatedOn": "dateTime",
        },
        "SchemaVersion": {"VersionNumber": "int"},
    }
)  # fmt: skip
"""Columns and their types by table."""


def document(rows: Mapping[str, Sequence[Mapping[str, object]]]) -> bytes:
    """A metadata document.

    Args:
        rows: by table the values of each row by column; what is not there is null. Tables and columns that `TABLES`
            does not know are written without a place in the schema.
    """
    body = [
        f"<{table}>{''.join(f'<{name}>{escape(str(value))}</{name}>' for name, value in row.items())}</{table}>"
        for table, found in rows.items()
        for row in found
    ]
    return "\n".join(
        ['<?xml version="1.0" encoding="utf-8" standalone="yes"?>', "<DataSet>", _schema(), *body, "</DataSet>"]
    ).encode()


def _schema() -> str:
    tables = "".join(
        f'<xs:element name="{table}"><xs:complexType><xs:sequence>'
        + "".join(_column(name, kind) for name, kind in columns.items())
        + "</xs:sequence></xs:complexType></xs:element>"
        for table, columns in TABLES.items()
    )
    return (
        '<xs:schema id="DataSet" xmlns:xs="http://www.w3.org/2001/XMLSchema" '
        'xmlns:ext="urn:schemas-microsoft-com:xml-msdata"><xs:element name="DataSet"><xs:complexType>'
        f'<xs:choice minOccurs="0" maxOccurs="unbounded">{tables}</xs:choice>'
        "</xs:complexType></xs:element></xs:schema>"
    )


def _column(name: str, kind: str) -> str:
    if kind == "guid":
        return f'<xs:element name="{name}" type="xs:string" ext:DataType="System.Guid" minOccurs="0" />'
    return f'<xs:element name="{name}" type="xs:{kind}" minOccurs="0" />'
