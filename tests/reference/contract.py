"""What the feeds promise, as the reference reads it: the kind of each column, and what a value may be.

Here: columns, kinds, codes, bounds; how a text becomes a value. Not here: files and rows
(`delivered.py`).

A row that breaks a promise goes to quarantine whole, also for a column that nobody looks at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from typing import Any

# A kind is a type or a list of codes; `!` what cannot be after the file's date, `+` what cannot be
# below zero, `1..5` bounds. Columns that are not named here are not looked at.
COLUMNS: Mapping[str, str] = {
    "crm_subscribers": """
        text: subscriber_id imsi customer_id brand ported_in_from acquisition_channel_id
            agent_id org_id section_id number_grade service_bars manager_id
        phone: msisdn
        payment_mode: payment_mode
        service_type: service_type
        line_class: line_class
        time: activated_at first_registered_at
        flag: is_autopay
        subscriber_status: status
        status_reason: status_reason
        time!: status_at
    """,
    "crm_customers": """
        text: customer_id name id_type id_number gender address interests occupation
            income_band real_name_status credit_level preferred_channel
        date: birthday
        org_class: org_class
        count+: vip_level
        count: points_balance
        phone: contact_phone
    """,
    "org_units": """
        text: org_id parent_org_id name_zh name_en
        org_level: org_level
    """,
    "org_channels": """
        text: channel_id org_id
        channel_type: channel_type
    """,
    "org_agents": """
        text: agent_id channel_id org_id agent_type
        date: valid_from valid_to
    """,
    "billing_plans": """
        text: plan_id name_zh name_en brand access_technology network_generation org_id
        date: valid_from valid_to on_sale_from on_sale_to
        payment_mode: payment_mode
        cny+: monthly_fee_cny early_exit_fee_cny
        minutes+: voice_minutes
        volume+: data_mb bandwidth_mbps
        count+: sms_count
        rate+: overage_voice_cny_per_min overage_data_cny_per_mb overage_sms_cny
        overage_mode: overage_mode
    """,
    "billing_products": """
        text: product_id name_zh name_en app_class
        date: on_sale_from on_sale_to
        product_kind: product_kind
        cny+: monthly_fee_cny
        minutes+: voice_minutes
        volume+: data_mb
        count+: sms_count contract_months
        flag: is_partner
        cny: subsidy_cny
    """,
    "billing_subscriptions": """
        text: subscription_id subscriber_id product_id consent_ref order_channel_id
            order_agent_id order_staff_id group_id device_tac promo_id
        product_kind: product_kind
        time!: ordered_at
        time: started_at ended_at consent_at
        subscription_end_reason: end_reason
        date: contract_end_date
        cny: price_cny subsidy_cny
        flag: is_trial
        consent_method: consent_method
        imei: device_imei
    """,
    "billing_invoices": """
        text: subscriber_id invoice_id plan_id
        month!: month
        cny: plan_fee_cny voice_overage_cny data_overage_cny sms_overage_cny roaming_cny
            vas_cny device_instalment_cny discount_cny adjustment_cny other_cny
            total_cny
        minutes+: voice_minutes
        volume+: data_mb
        count+: sms_count
        date: issued_on due_on
    """,
    "billing_payments": """
        text: payment_id subscriber_id method channel_id promo_id
        time!: paid_at
        cny: amount_cny
        payment_kind: payment_kind
    """,
    "billing_balances": """
        text: subscriber_id dunning_stage
        cny: balance_cny gift_balance_cny charged_mtd_cny credit_limit_cny
        cny+: arrears_cny
        date: arrears_since valid_until
    """,
    "billing_adjustments": """
        text: adjustment_id subscriber_id reason_code product_id complaint_id offer_id
            staff_id
        time!: at
        adjustment_kind: kind
        cny: amount_cny
    """,
    "usage_daily": """
        text: subscriber_id tac
        date!: usage_date
        minutes+: voice_out_minutes voice_in_minutes voice_offnet_minutes
            voice_competitor_minutes voice_night_minutes poor_coverage_minutes
            roaming_minutes
        count+: calls_out calls_in sms_out data_sessions failed_data_sessions
            counterparties dropped_calls failed_calls
        volume+: data_mb data_mb_video data_mb_social data_mb_messaging data_mb_music
            data_mb_game data_mb_other data_mb_night data_mb_roaming data_mb_tethering
            data_mb_background data_mb_4g data_mb_5g slow_data_mb
    """,
    "usage_competitor_contacts": """
        text: event_id subscriber_id competitor
        time!: at
        competitor_contact_kind: kind
        forward_type: forward_type
        phone: forward_to_msisdn
    """,
    "usage_call_circle": """
        text: subscriber_id counterparty_operator
        month!: month
        phone: counterparty_msisdn
        minutes+: minutes_out minutes_in
        flag: is_onnet
    """,
    "usage_areas": """
        text: subscriber_id area_id
        month!: month
        area_kind: kind
        count0..31: days
    """,
    "usage_devices": """
        text: subscriber_id tac
        imei: imei
        time!: at
    """,
    "device_models": """
        text: tac brand model network_generation price_band
        device_class: device_class
        flag: is_dual_sim
        date: released_on
    """,
    "care_complaints": """
        text: complaint_id subscriber_id product_id staff_id channel_id
        complaint_step: step
        time!: at
        time: due_at
        complaint_category: category
        complaint_cause_class: cause_class
        complaint_severity: severity
        count1..5: satisfaction
    """,
    "care_interactions": """
        text: interaction_id subscriber_id channel_id staff_id
        time!: at
        interaction_reason: reason
        interaction_outcome: outcome
        count+: duration_seconds
    """,
    "channel_commissions": """
        text: commission_id agent_id channel_id subscriber_id
        commission_kind: kind
        cny: amount_cny
        date!: earned_on
    """,
    "market_competitor_offers": """
        text: competitor_offer_id competitor offer_kind offer_text network_generation
            org_id
        cny+: monthly_fee_cny
        volume+: data_mb
        minutes+: voice_minutes
        date: seen_from seen_to
    """,
    "market_offers": """
        text: offer_id name_zh name_en relationship_level channel_roles product_id tac
            responds_to stock_pool_id
        date: valid_from valid_to
        offer_family: family
        cny+: cost_cny
    """,
    "field_contacts": """
        text: contact_id work_order_id subscriber_id staff_id reason_code competitor
            offer_id template_code campaign_code
        time!: at
        contact_channel: channel
        message_class: message_class
        contact_outcome: outcome
        flag: has_switched
        cny+: concession_cny
        minutes+: minutes
    """,
    "churn_events": """
        text: churn_event_id subscriber_id competitor channel_id
        time!: at
        churn_kind: kind
        cause_codes: stated_cause
    """,
}
CODES: Mapping[str, str] = {
    "payment_mode": "PREPAID POSTPAID",
    "service_type": "MOBILE BROADBAND IPTV FIXED",
    "line_class": "VOICE DATA_ONLY IOT",
    "subscriber_status": "ACTIVE ONE_WAY_SUSPENDED TWO_WAY_SUSPENDED DEACTIVATED",
    "status_reason": """
        CUSTOMER_REQUEST ARREARS OPERATOR FRAUD REAL_NAME LOST_SIM PORT_OUT EXPIRED NONE
    """,
    "org_class": "INDIVIDUAL GROUP GOVERNMENT",
    "org_level": "HQ PROVINCE CITY BRANCH",
    "channel_type": "OWN_HALL PARTNER_HALL AGENT ONLINE APP CALL_CENTER OUTSOURCED_HALL",
    "overage_mode": "BILL THROTTLE STOP",
    "product_kind": "PLAN VAS DATA_PACK FAMILY_PLAN GROUP_VNET DEVICE_CONTRACT BUNDLE",
    "subscription_end_reason": """
        CUSTOMER REPLACED EXPIRED OPERATOR_MIGRATION OPERATOR_REMOVED REFUNDED
    """,
    "consent_method": "SMS_CONFIRM SIGNED APP RECORDED_CALL NONE",
    "payment_kind": "TOPUP BILL REVERSAL",
    "adjustment_kind": "REFUND OVERAGE_WAIVER CREDIT GOODWILL",
    "competitor_contact_kind": """
        HOTLINE_OUT HOTLINE_IN PORTABILITY_QUERY CALL_FORWARD_ON CALL_FORWARD_OFF
    """,
    "forward_type": "CFU CFB CFNRY CFNRC",
    "area_kind": "HOME WORK",
    "device_class": "SMARTPHONE FEATURE_PHONE DONGLE ROUTER IOT",
    "complaint_step": """
        OPENED ACKNOWLEDGED ANALYSED RESOLVED RECORDED FOLLOWED_UP REOPENED WITHDRAWN
    """,
    "complaint_category": """
        BILLING NETWORK SERVICE UNAUTHORISED_ORDER CONTACT_NUISANCE DEVICE SALES_PROMISE
        PRIVACY OTHER
    """,
    "complaint_cause_class": "QUALITY ATTITUDE METHOD FACILITIES",
    "complaint_severity": "MINOR NORMAL SEVERE",
    "interaction_reason": """
        CANCEL_REQUEST PORT_OUT_CODE SUSPEND_REQUEST PLAN_CHANGE PLAN_QUERY BILL_QUERY
        FAULT OTHER
    """,
    "interaction_outcome": "RESOLVED SAVED PROCEEDED TRANSFERRED",
    "commission_kind": "ACTIVATION RESIDUAL CLAWBACK",
    "offer_family": """
        REMINDER CARE_CALL PLAN_CHANGE MATCH_TARIFF TOPUP_BONUS TOPUP_FOR_HANDSET
        GIFT_HANDSET DATA_PACK OVERAGE_WAIVER POINTS BUNDLE FAMILY_PLAN GROUP_VNET
        DEVICE_UPGRADE SERVICE_RECOVERY NETWORK_FIX CLUB_INVITE
    """,
    "contact_channel": "CALL SMS APP DOOR_VISIT HALL",
    "message_class": "SERVICE MARKETING",
    "contact_outcome": """
        REACHED NO_ANSWER REFUSED ACCEPTED WRONG_NUMBER OPT_OUT DELIVERED UNDELIVERED
        NOT_HOME CALL_BACK
    """,
    "churn_kind": """
        PORT_OUT CLOSED EXPIRED ARREARS_REMOVED FRAUD_REMOVED OPERATOR_REMOVED
    """,
    "cause_codes": """
        PLAN_MISFIT COMPETITOR_OFFER BILL_OPACITY UNAUTHORISED_ORDER SERVICE_ATTITUDE
        SERVICE_METHOD FACILITIES NETWORK_QUALITY COVERAGE TERMINAL SERVICE_LAG
        SOCIAL_CIRCLE CONTRACT_END LIFE_EVENT REMOVED
    """,
}
# Digits after the decimal point that are kept. Money is written with no more; the others round.
_PLACES = {"cny": 2, "minutes": 2, "volume": 3, "rate": 6}
_DATE = r"\d{4}-\d{2}-\d{2}|\d{4}/\d{2}/\d{2}|\d{8}"
_FORMS = {
    "date": rf"{_DATE}",
    "month": rf"\d{{4}}[-/]\d{{2}}|\d{{6}}|{_DATE}",
    "time": rf"({_DATE})(?:[T ](\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,6}})?)?)(Z|[+-]\d{{2}}(?::?\d{{2}})?)?)?",
    "count": r"[+-]?\d+",
    "cny": r"[+-]?(?:\d+(?:\.\d{0,2}0*)?|\.\d{1,2}0*)",
    "number": r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?",
}
_FLAGS = {
    **dict.fromkeys(("true", "1", "y", "t", "yes"), True),
    **dict.fromkeys(("false", "0", "n", "f", "no"), False),
}
_HERE = timezone(timedelta(hours=8))  # Asia/Shanghai has no summer time


@dataclass(frozen=True)
class Column:
    """One column of a feed. Bounds are in the units of the value."""

    name: str
    kind: str
    codes: Collection[str] | None = None
    is_event: bool = False
    least: int | None = None
    most: int | None = None

    @property
    def can_refuse(self) -> bool:
        return self.codes is not None or self.is_event or (self.least, self.most) != (None, None)

    def allows(self, value: Any, dt: date) -> bool:
        """Whether a value that is of its kind may stand in a file of the date."""
        if value is None:
            return True
        if self.codes is not None:
            return value in self.codes
        if self.is_event:
            return day_of(value) <= dt
        if self.least is not None and value < self.least:
            return False
        return self.most is None or value <= self.most


@cache
def columns_of(feed: str) -> Mapping[str, Column]:
    found = {}
    for line in re.sub(r"\n {12}", " ", COLUMNS[feed]).strip().splitlines():
        promise, names = line.split(":")
        match = re.fullmatch(r"\s*([a-z_]+)(!?)(\+?)(?:(\d+)\.\.(\d+))?", promise)
        if match is None:
            raise ValueError(promise)
        kind, event, positive, least, most = match.groups()
        codes = frozenset(CODES[kind].split()) if kind in CODES else None
        for name in names.split():
            found[name] = Column(
                name,
                "text" if codes else kind,
                codes,
                bool(event),
                int(least) if least else 0 if positive else None,
                int(most) if most else None,
            )
    return found


def day_of(value: datetime | date | str) -> date:
    """The day of a time, a date, or (the first of) a month."""
    if isinstance(value, str):
        return date.fromisoformat(f"{value}-01")
    return value.date() if isinstance(value, datetime) else value


@lru_cache(maxsize=1_000_000)
def value_of(text: str, kind: str) -> Any:
    """The value; None for nothing. Raises ValueError where the text is not of its kind."""
    if kind in ("text", "phone", "imei"):
        return text or None
    text = text.strip()
    if text == "":
        return None
    if kind == "flag":
        if text.lower() not in _FLAGS:
            raise ValueError(text)
        return _FLAGS[text.lower()]
    if kind in _PLACES:
        if not re.fullmatch(_FORMS["cny" if kind == "cny" else "number"], text):
            raise ValueError(text)
        return scaled(Decimal(text), _PLACES[kind])
    match = re.fullmatch(_FORMS[kind], text)
    if match is None:
        raise ValueError(text)
    if kind == "count":
        return int(text)
    if kind == "time":
        day, clock, offset = match.groups()
        time = datetime.fromisoformat(f"{_date(day)} {clock or '00:00'}{offset or ''}")
        return time.astimezone(_HERE).replace(tzinfo=None) if offset else time
    if kind == "month":
        digits = re.sub(r"\D", "", text)
        return _date(digits if len(digits) == 8 else f"{digits}01").isoformat()[:7]
    return _date(text)


def scaled(number: Decimal, places: int) -> int:
    return int((number * 10**places).to_integral_value(ROUND_HALF_UP))


def normalised(value: str | None, kind: str) -> str | None:
    """One way of writing an identifier: phone numbers without country, IMEI without check digit."""
    if value is None or kind not in ("phone", "imei"):
        return value
    digits = re.sub(r"[^0-9]", "", value)
    if kind == "imei":
        return digits[:14] or None
    return re.sub(r"^(?:00)?(?:86)?(\d{11})$", r"\1", digits) or None


def _date(text: str) -> date:
    digits = re.sub(r"\D", "", text)
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
