{{ config(materialized='table') }}

with
agents as (
    {{ reference_versions(
        ref('stg_org__agents'),
        feed='org_agents',
        columns=[
            'agent_id',
            'valid_from',
            'valid_to',
            'channel_id',
            'org_id',
            'agent_type',
        ]
    ) }}
)

select
    agents.agent_id,
    agents.valid_from,
    agents.valid_to,
    agents.channel_id,
    agents.org_id,
    agents.agent_type,
    agents.visible_from,
    agents.visible_to
from agents
