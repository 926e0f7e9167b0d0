"""Extra expectations on the feeds of channel: earners and items that can be identified."""

from __future__ import annotations

from expectations.expectation import Extras, delivered, rows_where

EXTRAS: Extras = {
    "channel_commissions": (
        rows_where(
            "agent_id IS NULL AND channel_id IS NULL",
            name="names_who_earned",
            severity="warning",
            description="A commission names its agent or channel.",
            description_zh="佣金指明代理商或渠道",
        ),
    ),
    "channel_stock_events": (
        rows_where(
            f"(item_kind = 'SIM' AND iccid_token IS NULL AND {delivered('iccid')}) OR "
            "(item_kind = 'DEVICE' AND imei_token IS NULL AND tac IS NULL AND "
            f"{delivered('imei')} AND {delivered('tac')})",
            name="item_is_identified",
            severity="warning",
            description="A SIM has its ICCID, a device its IMEI or TAC.",
            description_zh="SIM 卡有 ICCID,终端有 IMEI 或 TAC",
        ),
    ),
}
