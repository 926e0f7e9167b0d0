"""Extra expectations on the feeds of billing: invoices that add up, amounts that can be."""

from __future__ import annotations

from expectations.expectation import (
    Expectation,
    Extras,
    delivered,
    names_its_subscriber,
    rows_where,
)

EXTRAS: Extras = {
    "billing_plans": (
        rows_where(
            "valid_to < valid_from OR on_sale_to < on_sale_from",
            name="dates_in_order",
            severity="warning",
            description="A plan ends after it begins.",
            description_zh="套餐的结束日期不早于开始日期",
        ),
        Expectation(
            "versions_do_not_overlap",
            "warning",
            "One price version of a plan is valid on a day.",
            "同一套餐同一天只有一个有效资费版本",
            "SELECT dt, source_file, source_line FROM (SELECT dt, source_file, source_line, "
            "valid_to, lead(valid_from) OVER (PARTITION BY dt, plan_id ORDER BY valid_from) AS "
            "next_from FROM {batch}) AS version WHERE next_from < valid_to",
        ),
    ),
    "billing_products": (
        rows_where(
            "on_sale_to < on_sale_from",
            name="dates_in_order",
            severity="warning",
            description="A product leaves the sale after it entered it.",
            description_zh="产品停售日期不早于上架日期",
        ),
    ),
    "billing_subscriptions": (
        names_its_subscriber(),
        rows_where(
            "ended_at < started_at",
            name="dates_in_order",
            severity="warning",
            description="A holding ends after it started.",
            description_zh="订购的结束时间不早于开始时间",
        ),
        rows_where(
            f"ended_at < dt + INTERVAL 1 DAY AND end_reason IS NULL AND {delivered('end_reason')}",
            name="ended_has_reason",
            severity="warning",
            description="A holding that has ended says why.",
            description_zh="已结束的订购注明原因",
        ),
    ),
    "billing_invoices": (
        rows_where(
            "total_cny <> plan_fee_cny + voice_overage_cny + data_overage_cny + "
            "sms_overage_cny + roaming_cny + vas_cny + device_instalment_cny + discount_cny + "
            "adjustment_cny + other_cny",
            name="total_is_sum_of_parts",
            severity="warning",
            description="The total is the sum of the parts, where all are known.",
            description_zh="账单总额等于各分项之和",
        ),
        rows_where(
            "issued_on < month OR due_on < issued_on",
            name="dates_in_order",
            severity="warning",
            description="An invoice is issued after its month begins and due after it is issued.",
            description_zh="出账日不早于账期,缴费截止日不早于出账日",
        ),
    ),
    "billing_payments": (
        names_its_subscriber(),
        rows_where(
            "payment_kind IN ('TOPUP', 'BILL') AND amount_cny <= 0",
            name="amount_is_positive",
            severity="warning",
            description="A top-up or a bill payment brings money.",
            description_zh="充值与缴费金额大于零",
        ),
    ),
    "billing_balances": (
        rows_where(
            "arrears_since > dt OR (arrears_cny > 0 AND arrears_since IS NULL AND "
            f"{delivered('arrears_since')})",
            name="arrears_have_a_start",
            severity="warning",
            description="Arrears have a first day, and it has come.",
            description_zh="欠费有起始日期,且不晚于文件日期",
        ),
    ),
    "billing_adjustments": (names_its_subscriber(),),
}
