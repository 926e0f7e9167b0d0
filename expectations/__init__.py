"""What must hold at each boundary of the platform: one suite a boundary.

Here: declarations (name, severity, SQL, words), free of Great Expectations, Dagster and any I/O, so
that they are cheap to import. Not here: judging data by them (`orchestration/quality.py`), tests of
our own SQL models (dbt, beside the model).
"""
