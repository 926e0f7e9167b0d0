"""The retention domain: churn model, selection, arms, lists, effects.

Pure functions on frames. Free of Dagster, dbt, Great Expectations and the environment.
"""
