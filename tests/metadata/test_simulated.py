import pytest

from sttp.errors import UsageError
from sttp.metadata import Metadata, simulated_metadata


@pytest.mark.parametrize("count", [0, 1, 4, 19, 20, 21, 45])
def test_any_number_of_signals(count: int) -> None:
    metadata = simulated_metadata(count, frames_per_second=60)
    assert len(metadata.signals) == len(metadata.measurements) == count
    assert len(metadata.devices) == -(-count // 20)
    assert len(set(metadata.tags.values())) == len(set(metadata.signals.keys)) == len(set(metadata.tags)) == count
    assert {device.frames_per_second for device in metadata.devices} <= {60}
    assert Metadata.read(metadata.write()) == metadata


def test_it_is_the_same_at_every_call_and_for_every_count() -> None:
    assert simulated_metadata(50) == simulated_metadata(50)
    assert simulated_metadata(50).measurements[:30] == simulated_metadata(30).measurements


def test_the_ids_do_not_change_from_release_to_release() -> None:
    first = simulated_metadata(1).measurements[0]
    assert str(first.signal_id) == "6defabd6-f571-582c-80a3-6e6473ec7078"
    assert (first.key, first.tag) == ("SIM:1", "SIM_PMU00001:FREQ")


def test_every_phasor_has_its_measurements() -> None:
    metadata = simulated_metadata(45)
    parts = {(each.device_acronym, each.phasor_source_index) for each in metadata.measurements}
    assert {(each.device_acronym, each.source_index) for each in metadata.phasors} == {
        part for part in parts if part[1] is not None
    }
    assert {each.id for each in metadata.phasors} == set(range(1, len(metadata.phasors) + 1))
    assert None not in metadata.active_measurements.column("DeviceID")


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(UsageError):
        simulated_metadata(-1)
