"""The process of one region: reads its job, lives it, tells its days.

Here: the conversation with `operator.py` over standard output, one JSON object a line.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.simulator.region import Region, live


def _region(kept: dict[str, Any]) -> Region:
    published = kept["published"]
    return Region(
        **{
            **kept,
            "opened_on": date.fromisoformat(kept["opened_on"]),
            "staging": Path(kept["staging"]),
            "truth": Path(kept["truth"]),
            "published": None if published is None else Path(published),
        }
    )


def main() -> None:
    """Live the region that the first argument describes."""
    pa.set_cpu_count(1)  # each region has a processor to itself
    pa.set_io_thread_count(1)
    job = json.loads(sys.argv[1])

    def tell(said: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()

    try:
        rows = live(
            _region(job["region"]),
            date.fromisoformat(job["first"]),
            date.fromisoformat(job["last"]),
            job["outcome_days"],
            lambda day: tell({"day": day.isoformat()}),
        )
    except ValueError as error:  # what a user can mend
        tell({"wrong": str(error)})
    else:
        tell({"rows": dict(rows)})


if __name__ == "__main__":
    main()
