"""What is compiled and what is not make the same of good and of bad input; `make sanitize` plays far more of it."""

from __future__ import annotations

import pytest

from codec_fuzz import check
from codec_loops import ARE_COMPILED


@pytest.mark.skipif(not ARE_COMPILED, reason="the loops are not compiled here")
def test_damaged_blocks_and_packets_mean_the_same_to_compiled_and_uncompiled_loops() -> None:
    for seed in range(60):
        check(seed)
