"""From landing files to raw partitions, quarantine, vault and receipts.

Here: everything about the form of what an operator hands over. Not here: Dagster, dbt, Great
Expectations and the environment (callers pass in folders, keys and limits), and what the data
means (dbt models).
"""
