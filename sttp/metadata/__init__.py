"""What signals mean: the metadata document, its tables, and devices, measurements and phasors as typed values."""

from __future__ import annotations

from sttp.metadata.dataset import Cell, Column, ColumnType, DataSet, Problem, Table
from sttp.metadata.metadata import Metadata
from sttp.metadata.records import DeviceRecord, MeasurementRecord, PhasorRecord
from sttp.metadata.simulated import simulated_metadata
from sttp.metadata.xml_reader import read_dataset
from sttp.metadata.xml_writer import write_dataset

__all__ = [
    "Cell",
    "Column",
    "ColumnType",
    "DataSet",
    "DeviceRecord",
    "MeasurementRecord",
    "Metadata",
    "PhasorRecord",
    "Problem",
    "Table",
    "read_dataset",
    "simulated_metadata",
    "write_dataset",
]
