{#
    Where each signal of the seed `signal_codes` is found: relation, its column (true, false, or null
    = unknown), and what fills the sentence for staff. `words` is a column of codes joined by `;`
    (labels in the seed `signal_words`), `values` are SQL for what is shown as it is.
#}
{% macro signal_findings() %}
    {{ return([
        {'code': 'ZERO_CALL_5D', 'relation': 'int_findings_traffic',
         'values': ['found.streak_days', 'found.first_hit_date']},
        {'code': 'DOUBLE_SUSPENSION_7D', 'relation': 'int_findings_suspension', 'values': ['found.suspended_days']},
        {'code': 'HR1_COMPLAINT', 'relation': 'int_findings_complaints', 'words': 'found.hr1_legs'},
        {'code': 'HR2_VOLUNTARY_SUSPENSION', 'relation': 'int_findings_suspension'},
        {'code': 'HR3_COLLAPSE', 'relation': 'int_findings_bills', 'words': 'found.hr3_leg'},
        {'code': 'HR4_ARREARS_SUSPENSION', 'relation': 'int_findings_suspension'},
        {'code': 'HR5_LOW_BALANCE', 'relation': 'int_findings_bills',
         'values': ['found.balance_cny', 'cast(found.balance_days_left as decimal(9, 1))']},
        {'code': 'HR6_CONTRACT_EXPIRING', 'relation': 'int_findings_holdings',
         'values': ['found.contract_days_left', 'found.contract_band']},
        {'code': 'HR7_FORWARD_TO_COMPETITOR', 'relation': 'int_findings_rivals'},
        {'code': 'HR8_COMPETITOR_HOTLINE', 'relation': 'int_findings_rivals', 'words': 'found.hotline_direction'},
        {'code': 'DUAL_HANDSET', 'relation': 'dual_handsets', 'values': ['cast(found.score as decimal(9, 2))']},
        {'code': 'DUAL_SIM_EXPOSURE', 'relation': 'int_findings_rivals'},
        {'code': 'VAS_CHURN', 'relation': 'int_findings_holdings'},
        {'code': 'ARPU_DECLINE', 'relation': 'int_findings_bills', 'words': 'causes.decline_cause'},
        {'code': 'INTEGRITY_RISK', 'relation': 'int_findings_holdings', 'words': 'found.integrity_legs',
         'severity': 'found.integrity_severity'},
        {'code': 'BILL_SHOCK', 'relation': 'int_findings_bills', 'words': 'found.bill_shock_legs'},
        {'code': 'PLAN_MISMATCH', 'relation': 'int_findings_fit', 'words': 'found.mismatch_direction'},
        {'code': 'USAGE_SPIKE', 'relation': 'int_findings_traffic', 'words': 'found.usage_spike_resources'},
        {'code': 'USAGE_DROP', 'relation': 'int_findings_traffic', 'words': 'found.usage_drop_resources'},
        {'code': 'OVER_PLAN_80', 'relation': 'int_findings_fit', 'words': 'found.over_plan_80_resources'},
        {'code': 'OVER_PLAN_100', 'relation': 'int_findings_fit', 'words': 'found.over_plan_100_resources'},
        {'code': 'DEVICE_MISMATCH', 'relation': 'int_findings_devices',
         'values': ['found.device_generation', 'found.network_generation']},
        {'code': 'DATA_MISMATCH', 'relation': 'int_findings_fit', 'words': 'found.data_mismatch_cause'},
        {'code': 'DEAL_HUNTER', 'relation': 'int_findings_holdings'},
        {'code': 'PORT_INTENT', 'relation': 'int_findings_rivals'},
    ]) }}
{% endmacro %}

{#
    Stops where the findings of another date are at hand, as when the newest date's are in their place:
    what is made of them would be of no date.
#}
{% macro must_be_found() %}
    {%- set lines = ref('int_lines') -%}
    {%- if execute and is_incremental() -%}
        {%- set of_other_dates = run_query(
            'select count(*) from ' ~ lines ~ ' where as_of_date <> ' ~ as_of()
        ).columns[0].values()[0] -%}
        {%- if of_other_dates -%}
            {{ exceptions.raise_compiler_error(
                'nothing is found as of ' ~ var('to_date') ~ ': run the day_findings of that day first'
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
