"""Metadata for any number of signals that nobody measures, the same at every call."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid5

from sttp.errors import UsageError
from sttp.metadata.metadata import Metadata
from sttp.metadata.records import DeviceRecord, MeasurementRecord, PhasorRecord

__all__ = ["simulated_metadata"]

_NAMESPACE: Final = UUID("5a3e1b0e-54b7-5c2c-9f2c-6d1c3f2a7e90")

_PHASORS: Final = tuple((type_, phase) for type_ in "VI" for phase in "ABC")

_SIGNALS: Final = (
    ("FREQ", "FREQ", "FQ", None),
    ("DFDT", "DFDT", "DF", None),
    ("FLAG", "FLAG", "SF", None),
    *(
        signal
        for index, (type_, _) in enumerate(_PHASORS, 1)
        for signal in (
            (f"PHASOR{index}M", f"{type_}PHM", f"PM{index}", index),
            (f"PHASOR{index}A", f"{type_}PHA", f"PA{index}", index),
        )
    ),
    *((f"ANALOG{index}", "ALOG", f"AV{index}", None) for index in range(1, 6)),
)
"""What a device measures: suffix of the tag, signal type, suffix of the reference, and source index of the phasor."""


def simulated_metadata(count: int, *, frames_per_second: int = 30) -> Metadata:
    """Metadata of `count` simulated signals, twenty to a device: three values of the system, six phasors, five analogs.

    Signal IDs, keys and tags depend on the number of the signal only, so that every run has the same ones.

    Args:
        count: number of signals.
        frames_per_second: reporting rate of the devices, in Hz.

    Raises:
        UsageError: `count` is negative.
    """
    if count < 0:
        raise UsageError(f"{count} is no number of signals")
    devices: list[DeviceRecord] = []
    measurements: list[MeasurementRecord] = []
    phasors: list[PhasorRecord] = []
    node_id = uuid5(_NAMESPACE, "node")
    for first in range(0, count, len(_SIGNALS)):
        number = len(devices) + 1
        acronym = f"SIM!PMU{number:05}"
        devices.append(
            DeviceRecord(
                acronym=acronym,
                name=f"Simulated PMU {number}",
                node_id=node_id,
                unique_id=uuid5(_NAMESPACE, acronym),
                access_id=number,
                protocol_name="Simulated",
                frames_per_second=frames_per_second,
                company_acronym="SIM",
            )
        )
        signals = _SIGNALS[: count - first]
        measurements += [
            MeasurementRecord(
                signal_id=uuid5(_NAMESPACE, f"{acronym}-{reference}"),
                key=f"SIM:{first + offset}",
                tag=f"SIM_PMU{number:05}:{suffix}",
                device_acronym=acronym,
                signal_reference=f"{acronym}-{reference}",
                signal_type=signal_type,
                phasor_source_index=phasor,
                description=f"Simulated {signal_type} of PMU {number}",
            )
            for offset, (suffix, signal_type, reference, phasor) in enumerate(signals, 1)
        ]
        phasors += [
            PhasorRecord(
                id=len(phasors) + index,
                device_acronym=acronym,
                source_index=index,
                label=f"{type_}{phase}",
                type=type_,
                phase=phase,
            )
            for index, (type_, phase) in enumerate(_PHASORS, 1)
            if any(phasor == index for *_, phasor in signals)
        ]
    return Metadata.of(devices=devices, measurements=measurements, phasors=phasors)
