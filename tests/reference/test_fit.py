"""Use against plan and device, both sides of each limit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.reference.conftest import Make
from tests.reference.fit import quantile
from tests.reference.handmade import Landing
from tests.reference.parameters import DEFAULTS

FIRST, LAST = "2025-01-01", "2025-04-30"
CLOSED = ("2025-01", "2025-02", "2025-03")


def planned(make: Make, **plan: Any) -> Landing:
    """A line on a plan of 3,000 MB and no other allowance, without any use."""
    landing = make(FIRST, LAST)
    landing.line("1", prepaid=False)
    landing.add(
        "billing_plans",
        FIRST,
        plan_id="PL",
        valid_from="2020-01-01",
        **{"data_mb": 3000, "voice_minutes": 0, "sms_count": 0, "overage_mode": "BILL", **plan},
    )
    hold(landing, "PL", "PLAN", "2024-01-01")
    return landing


def hold(landing: Landing, product: str, kind: str, start: str, **row: Any) -> None:
    landing.add(
        "billing_subscriptions",
        max(start, FIRST),
        subscriber_id="1",
        product_id=product,
        product_kind=kind,
        started_at=f"{start} 10:00:00",
        **row,
    )


def spend_data(landing: Landing, day: str, mb: int | str, **more: Any) -> None:
    landing.use("1", day, day, **{"data_mb": mb, "slow_data_mb": 0, **more})


@pytest.mark.parametrize(
    ("mb", "fires"),
    [("3300", False), ("3300.001", True), ("1800", False), ("1799.999", True)],
)
def test_the_band_of_plan_fit(make: Make, mb: str, fires: bool) -> None:
    landing = planned(make)
    for month in CLOSED:
        spend_data(landing, f"{month}-10", mb)
    assert landing.says("PLAN_MISMATCH") is fires


def test_three_months_and_the_same_plan_in_each(make: Make) -> None:
    landing = planned(make)
    for month, mb in zip(CLOSED, (5000, 3000, 5000), strict=True):
        spend_data(landing, f"{month}-10", mb)
    assert landing.says("PLAN_MISMATCH") is False
    landing = planned(make)
    for month in CLOSED:
        spend_data(landing, f"{month}-10", 5000)
    hold(landing, "PL2", "PLAN", "2025-02-15")
    assert landing.says("PLAN_MISMATCH") is None


def test_mixed_directions_unlimited_and_throttled_plans(make: Make) -> None:
    landing = planned(make)
    for month, mb in zip(CLOSED, (5000, 100, 5000), strict=True):
        spend_data(landing, f"{month}-10", mb)
    assert landing.reference().signals()[("1", "PLAN_MISMATCH")]["direction"] == "MIXED"
    assert planned(make, data_mb=None).says("PLAN_MISMATCH") is None
    for slow, fires in ((0, False), (1, True)):
        landing = planned(make, overage_mode="THROTTLE")
        for month in CLOSED:
            spend_data(landing, f"{month}-10", 5000, slow_data_mb=slow)
        assert landing.says("PLAN_MISMATCH") is fires


def steady(make: Make, april: str) -> Landing:
    """100 MB a day in the closed months."""
    landing = planned(make)
    landing.use(
        "1", "2025-01-01", "2025-03-31", voice_out_minutes=0, voice_in_minutes=0, data_mb=100
    )
    landing.use("1", "2025-04-01", LAST, voice_out_minutes=0, voice_in_minutes=0, data_mb=april)
    return landing


def test_a_spike_fires_once_on_the_seventh_day(make: Make) -> None:
    landing = steady(make, "150")  # the mean of three months is 3,000 MB: 100 a day of April
    assert landing.says("USAGE_SPIKE", as_of="2025-04-06") is False
    assert landing.says("USAGE_SPIKE", as_of="2025-04-07") is True
    assert landing.says("USAGE_SPIKE", as_of="2025-04-08") is False
    assert steady(make, "149.999").says("USAGE_SPIKE", as_of="2025-04-07") is False


def test_a_drop(make: Make) -> None:
    assert steady(make, "50").says("USAGE_DROP", as_of="2025-04-07") is True
    assert steady(make, "50.001").says("USAGE_DROP", as_of="2025-04-07") is False
    landing = steady(make, "50")
    landing.status("1", "2025-04-03", "ONE_WAY_SUSPENDED", "ARREARS")
    landing.status("1", "2025-04-04", "ACTIVE")
    assert landing.says("USAGE_DROP", as_of="2025-04-07") is False


def test_levels_of_overuse_fire_once_each(make: Make) -> None:
    landing = planned(make)
    spend_data(landing, "2025-04-10", "2399.999")
    spend_data(landing, "2025-04-11", "0.001")
    spend_data(landing, "2025-04-12", "600")
    says = {
        day: (landing.says("OVER_PLAN_80", as_of=day), landing.says("OVER_PLAN_100", as_of=day))
        for day in ("2025-04-10", "2025-04-11", "2025-04-12", "2025-04-13")
    }
    assert says == {
        "2025-04-10": (False, False),
        "2025-04-11": (True, False),
        "2025-04-12": (False, True),
        "2025-04-13": (False, False),
    }


def test_a_jump_past_both_and_a_pack_afterwards(make: Make) -> None:
    landing = planned(make)
    landing.add("billing_products", FIRST, product_id="DP", on_sale_from=FIRST, data_mb=3000)
    spend_data(landing, "2025-04-10", "3000")
    hold(landing, "DP", "DATA_PACK", "2025-04-11")
    spend_data(landing, "2025-04-12", "1800")
    spend_data(landing, "2025-04-13", "1200")
    for day, full in (("2025-04-10", True), ("2025-04-12", False), ("2025-04-13", False)):
        assert landing.says("OVER_PLAN_80", as_of=day) is False
        assert landing.says("OVER_PLAN_100", as_of=day) is full


def test_quantile() -> None:
    values = [Fraction(number) for number in (1, 2, 3, 4)]
    assert quantile(values, Fraction(3, 4)) == Fraction(13, 4)
    assert quantile(values[:1], Fraction(3, 4)) == 1


@pytest.mark.parametrize(("mb", "fires"), [(300, True), (299, False)])
def test_device_mismatch_from_the_upper_quartile_on(make: Make, mb: int, fires: bool) -> None:
    landing = make(FIRST, LAST)
    landing.add("device_models", FIRST, tac="T4", network_generation="4G", is_dual_sim="true")
    landing.add("device_models", FIRST, tac="T5", network_generation="5G", is_dual_sim="true")
    for number, amount in enumerate((mb, 100, 200, 300, 400), start=1):
        landing.line(f"{number}", prepaid=False)
        landing.use(f"{number}", FIRST, LAST, data_mb=amount, tac="T4")
    landing.line("6", prepaid=False)
    landing.use("6", FIRST, LAST, data_mb=9000, tac="T5")
    landing.line("7", prepaid=False)
    assert landing.says("DEVICE_MISMATCH") is fires
    assert landing.says("DEVICE_MISMATCH", "6") is False
    assert landing.says("DEVICE_MISMATCH", "7") is None
    assert (
        landing.says("DEVICE_MISMATCH", p=replace(DEFAULTS, network_generation_elsewhere="4G"))
        is False
    )


@pytest.mark.parametrize(("mb", "fires"), [("2999.999", False), ("3000", True)])
def test_data_mismatch_from_exactly_the_allowance_on(make: Make, mb: str, fires: bool) -> None:
    landing = planned(make)
    spend_data(landing, "2025-04-10", mb)
    assert landing.says("DATA_MISMATCH") is fires
    assert landing.says("DATA_MISMATCH", as_of="2025-04-09") is False


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ({"data_mb_roaming": "1500"}, "ROAMING"),
        ({"data_mb_roaming": "1499.999", "data_mb_tethering": "1500"}, "TETHERING"),
        ({"data_mb_background": "1500"}, "BACKGROUND"),
        ({"data_mb_video": "2500"}, "APP_BURST"),
        ({"data_mb_video": "2499.999"}, "UNKNOWN"),
    ],
)
def test_causes_of_overuse(make: Make, row: dict[str, str], cause: str) -> None:
    landing = planned(make)
    parts = ("roaming", "tethering", "background")
    apps = ("video", "social", "messaging", "music", "game", "other")
    zeros = {f"data_mb_{name}": 0 for name in (*parts, *apps)}
    spend_data(landing, "2025-04-10", "5000", **(zeros | row))
    assert landing.reference().signals()[("1", "DATA_MISMATCH")]["cause"] == cause


def test_small_plan_and_unknown_columns(make: Make) -> None:
    landing = planned(make)
    for month in ("2025-02", "2025-03"):
        spend_data(landing, f"{month}-10", 3001)
    evidence = landing.reference().signals()[("1", "DATA_MISMATCH")]
    assert evidence["cause"] == "PLAN_SMALL"
    assert evidence["unknown_causes"] == ["ROAMING", "TETHERING", "BACKGROUND", "APP_BURST"]
