"""Dagster definitions only: thin assets, checks, jobs, schedules and sensors, by step of the loop."""
