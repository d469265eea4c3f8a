from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sttp.errors import FilterError
from sttp.filter_expression import select, select_metadata
from sttp.metadata import DeviceRecord, MeasurementRecord, Metadata, simulated_metadata

FREQUENCY = UUID("0a000000-0000-0000-0000-00000000000f")
TAGS = ["KUNDUR_BUS01:FREQ", "Bus 1, V+", "", "it's", "PPA:1", "FILTER"]
METADATA = Metadata.of(
    devices=[DeviceRecord(acronym="A"), DeviceRecord(acronym="B")],
    measurements=[
        MeasurementRecord(signal_id=FREQUENCY if row == 0 else UUID(int=row), key=f"PPA:{row}", tag=tag)
        for row, tag in enumerate(TAGS)
    ],
)


def selected(expression: str) -> list[int]:
    rows = select(expression, METADATA)
    assert rows.dtype.kind == "i"
    return rows.tolist()


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("", []),
        (" ;; ", []),
        (str(FREQUENCY), [0]),
        (str(FREQUENCY).upper(), [0]),
        ("{" + str(FREQUENCY) + "}", [0]),
        (f"'{FREQUENCY}'", [0]),
        (FREQUENCY.hex, [0]),
        (f"{UUID(int=2)};{UUID(int=1)}", [2, 1]),
        ("PPA:3;ppa:2", [3, 2]),
        ("PPA:1", [1]),  # a key before a tag of that name
        ("KUNDUR_BUS01:FREQ", [0]),
        ("kundur_bus01:freq", [0]),
        ('"KUNDUR_BUS01:FREQ"', [0]),
        ("'KUNDUR_BUS01:FREQ'", [0]),
        ("Bus 1, V+", [1]),
        ('"Bus 1, V+";it\'s', [1, 3]),
        ("FILTER", [5]),
        (f"PPA:1;{UUID(int=1)};PPA:1", [1]),  # each once
        # well formed, but nobody has it
        (str(UUID(int=77)), []),
        (str(UUID(int=0)), []),
        ("PPA:77;PPA:2", [2]),
        ('"unknown tag"', []),
        ('""', []),
        ("FILTER ActiveMeasurements WHERE True", [0, 1, 2, 3, 4, 5]),
        ("filter top 2 activemeasurements", [0, 1]),
        ("FILTER TOP 0 ActiveMeasurements", []),
        ("FILTER TOP 100 ActiveMeasurements", [0, 1, 2, 3, 4, 5]),
        ("FILTER TOP -1 ActiveMeasurements", [0, 1, 2, 3, 4, 5]),
        ("FILTER TOP 3 ActiveMeasurements; PPA:5; PPA:1", [5, 1, 0, 2]),  # those that are named come first
    ],
)
def test_signals(expression: str, rows: list[int]) -> None:
    assert selected(expression) == rows


@pytest.mark.parametrize(
    "expression",
    [
        "unknown",
        "UNKNOWN:FREQ",
        "PPA:1;unknown",
        "'",
        '"',
        "SignalType = 'FREQ'",
        "True",
        "SELECT * FROM ActiveMeasurements",
        "FILTER MeasurementDetail WHERE True",
        "FILTER ActiveMeasurements WHERE SignalType = 'FREQ'",
        str(FREQUENCY)[:-1],
        "x" * 100_000,
    ],
)
def test_what_is_refused_says_what_is_supported(expression: str) -> None:
    with pytest.raises(FilterError, match=r"ActiveMeasurements|FILTER") as caught:
        selected(expression)
    assert len(str(caught.value)) < 400


def test_long_lists() -> None:
    metadata = simulated_metadata(2000)
    for texts in (map(str, metadata.tags), metadata.signals.keys, metadata.signals.tags):
        assert select(";".join(texts), metadata).tolist() == list(range(2000))


def test_the_chosen_signals_make_a_table() -> None:
    chosen = METADATA.signals.select(select("PPA:3;PPA:0", METADATA))
    assert [(signal.key, signal.tag) for signal in chosen] == [("PPA:3", "it's"), ("PPA:0", "KUNDUR_BUS01:FREQ")]


def test_without_metadata_nothing_is_selected() -> None:
    assert select("FILTER ActiveMeasurements", Metadata()).tolist() == []
    assert select("PPA:1", Metadata()).tolist() == []


@given(st.text(st.sampled_from("PA:1;'\"{}-0fFILTER TOPWHE\0é\ud800")))
def test_only_filter_errors_leave(expression: str) -> None:
    try:
        rows = selected(expression)
    except FilterError:
        return
    assert len(rows) == len(set(rows)) <= len(TAGS)


@pytest.mark.parametrize("expression", ["", " ; ", "FILTER DeviceDetail WHERE True", "FILTER TOP 99 devicedetail"])
def test_metadata_that_is_not_narrowed_is_the_same(expression: str) -> None:
    assert select_metadata(expression, METADATA) is METADATA


def test_each_statement_narrows_its_table() -> None:
    narrowed = select_metadata("FILTER TOP 1 devicedetail; FILTER TOP 0 MeasurementDetail WHERE True", METADATA)
    assert [device.acronym for device in narrowed.devices] == ["A"]
    assert narrowed.measurements == ()
    assert narrowed.schema_version == METADATA.schema_version
    assert len(METADATA.devices) == 2
    assert [table.name for table in narrowed.dataset.tables] == [table.name for table in METADATA.dataset.tables]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("MeasurementDetail", "supported is FILTER"),
        (str(FREQUENCY), "supported is FILTER"),
        ("FILTER MeasurementDetail WHERE SignalAcronym = 'FREQ'", "supported is FILTER"),
        ("FILTER ActiveMeasurements WHERE True", "no table ActiveMeasurements"),
        ("FILTER TOP 1 DeviceDetail; FILTER devicedetail", "two statements"),
    ],
)
def test_metadata_filters_that_are_refused(expression: str, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        select_metadata(expression, METADATA)
