"""Extra expectations on the feeds of crm: states with reasons, numbers with one holder."""

from __future__ import annotations

from expectations.expectation import Extras, delivered, groups_where, rows_where

EXTRAS: Extras = {
    "crm_subscribers": (
        rows_where(
            f"{delivered('status_reason')} AND ((status = 'DEACTIVATED' AND "
            "coalesce(status_reason, 'NONE') = 'NONE') OR (status IN ('ONE_WAY_SUSPENDED', "
            "'TWO_WAY_SUSPENDED') AND status_reason IS NULL))",
            name="inactive_has_reason",
            severity="warning",
            description="A deactivated or suspended subscriber has a reason.",
            description_zh="离网或停机用户有原因",
        ),
        rows_where(
            "CAST(activated_at AS DATE) < CAST(first_registered_at AS DATE) OR CAST(status_at "
            "AS DATE) < CAST(activated_at AS DATE)",
            name="dates_in_order",
            severity="warning",
            description="A subscriber is registered, then activated, then changes state.",
            description_zh="入网登记、激活、状态变更时间依次不早于前者",
        ),
        groups_where(
            "count(*) > 1",
            "dt, msisdn_token",
            name="number_has_one_holder",
            severity="warning",
            description="A number in use has one mobile subscriber in a release.",
            description_zh="同一文件日期内一个在用号码只属于一个移动用户",
            among="msisdn_token IS NOT NULL AND status <> 'DEACTIVATED' "
            "AND coalesce(service_type, 'MOBILE') = 'MOBILE'",
        ),
        rows_where(
            f"org_id IS NULL AND status <> 'DEACTIVATED' AND {delivered('org_id')}",
            name="branch_is_given",
            severity="warning",
            description="A subscriber in the network belongs to a branch, which works the list.",
            description_zh="在网用户有归属营业部",
        ),
    ),
    "crm_customers": (
        rows_where(
            "birth_year > year(dt) OR birth_year < year(dt) - 120",
            name="birth_year_is_plausible",
            severity="warning",
            description="A birth year is neither in the future nor more than 120 years ago.",
            description_zh="出生年份合理",
        ),
    ),
    "crm_consents": (
        rows_where(
            "is_granted IS NULL",
            name="answer_is_given",
            severity="warning",
            description="A consent says yes or no.",
            description_zh="授权记录有明确的同意或拒绝",
        ),
        rows_where(
            f"is_granted AND proof_ref IS NULL AND {delivered('proof_ref')}",
            name="granted_has_proof",
            severity="warning",
            description="A granted consent can be proved.",
            description_zh="已同意的授权有凭证",
        ),
    ),
}
