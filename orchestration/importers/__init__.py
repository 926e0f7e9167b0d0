"""Importers: public data sets turned into landing files.

Each module reads one data set as its publisher distributes it and writes the feeds that it truly
holds, in the form of the contract. Not here: reading landing files (`landing/`), made-up operators
(`simulator/`), and anything that knows Dagster, dbt or the environment.
"""

from orchestration.importers.exacaster import import_exacaster
from orchestration.importers.landing_files import Count, ImportSummary
from orchestration.importers.megaline import import_megaline

__all__ = ["Count", "ImportSummary", "import_exacaster", "import_megaline"]
