"""`python -m sttp` is the command `sttp`."""

from __future__ import annotations

import sys

from sttp.cli import main

sys.exit(main())
