"""Extra expectations on the feeds of device: type allocation codes that are ones."""

from __future__ import annotations

from expectations.expectation import Extras, rows_where

EXTRAS: Extras = {
    "device_models": (
        rows_where(
            "NOT regexp_full_match(tac, '[0-9]{8}')",
            name="tac_has_eight_digits",
            severity="warning",
            description="A TAC has eight digits.",
            description_zh="TAC 为八位数字",
        ),
    ),
}
