"""Extra expectations on the feeds of market: offers and stock that can be used."""

from __future__ import annotations

from expectations.expectation import Extras, rows_where

EXTRAS: Extras = {
    "market_offers": (
        rows_where(
            "valid_to < valid_from",
            name="dates_in_order",
            severity="warning",
            description="An offer ends after it begins.",
            description_zh="优惠的结束日期不早于开始日期",
        ),
        rows_where(
            "name_zh IS NULL AND name_en IS NULL",
            name="offer_has_a_name",
            severity="warning",
            description="An offer has a name that staff can say.",
            description_zh="优惠有名称",
        ),
    ),
    "market_competitor_offers": (
        rows_where(
            "seen_to < seen_from",
            name="dates_in_order",
            severity="warning",
            description="An offer was last seen after it was first seen.",
            description_zh="最后见到日期不早于首次见到日期",
        ),
    ),
    "market_stock": (
        rows_where(
            "remaining < 0",
            name="stock_is_not_oversold",
            severity="warning",
            description="No more was given out than was there.",
            description_zh="库存不为负",
        ),
    ),
}
