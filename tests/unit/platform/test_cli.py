"""The command line: what it accepts, and what it says to somebody who errs."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestration import cli

Invoke = Callable[..., tuple[int, str]]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Run a command on a home of its own; the exit code and all that was said."""
    monkeypatch.setenv("RETENTION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RETENTION_SECRET_KEY", "test")

    def call(*arguments: str) -> tuple[int, str]:
        said = io.StringIO()
        for name in ("console", "errors"):
            monkeypatch.setattr(cli, name, Console(file=said, width=300, highlight=False))
        result = CliRunner().invoke(cli.app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, said.getvalue() + result.output

    return call


def test_help_names_every_command(invoke: Invoke) -> None:
    code, said = invoke("--help")
    assert code == 0
    for command in ("simulate", "import", "run", "status", "dev", "demo", "demo-real"):
        assert command in said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--date", "2025-03-01", "--from", "2025-03-01", "--to", "2025-03-02"],
        ["--from", "2025-03-01"],
        ["--to", "2025-03-01"],
        ["--date", "2025-03-01", "--to", "2025-03-02"],
    ],
)
def test_a_run_is_of_one_day_or_of_a_range(invoke: Invoke, arguments: list[str]) -> None:
    code, said = invoke("run", *arguments)
    assert code == 1
    assert "give either --date D, or --from D and --to D" in said


def test_a_range_goes_forward(invoke: Invoke) -> None:
    code, said = invoke("run", "--from", "2025-03-02", "--to", "2025-03-01")
    assert code == 1
    assert "--from 2025-03-02 is after --to 2025-03-01" in said


def test_a_day_before_the_clocks_start_is_an_error_that_says_how_to_mend_it(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_START_DATE", "2025-03-01")
    code, said = invoke("run", "--date", "2025-02-28")
    assert code == 1
    assert "2025-02-28 is before the first day of the clocks" in said
    assert "RETENTION_START_DATE=2025-03-01" in said


def test_a_date_that_does_not_exist_is_refused(invoke: Invoke) -> None:
    code, _ = invoke("run", "--date", "2025-02-30")
    assert code == 2


def test_a_misspelt_variable_ends_with_its_name_and_without_a_traceback(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_SECRETKEY", "x")
    code, said = invoke("status")
    assert code == 1
    assert "unknown environment variable RETENTION_SECRETKEY" in said
    assert "Traceback" not in said


def test_status_of_a_home_that_does_not_exist_is_no_error(
    invoke: Invoke, make_settings: Callable[..., object]
) -> None:
    make_settings("home")
    code, said = invoke("status")
    assert code == 0
    for title in ("Feeds", "Quarantine", "The loop"):
        assert f"{title}: none" in said


def test_simulating_writes_landing_files_and_goes_on(invoke: Invoke, tmp_path: Path) -> None:
    options = ["--subscribers", "20", "--seed", "3"]
    code, said = invoke("simulate", "--from", "2025-01-01", "--to", "2025-01-02", *options)
    assert code == 0, said
    landing = tmp_path / "home" / "landing"
    names = {path.name for path in (landing / "usage_daily").iterdir()}
    assert names == {"usage_daily_20250101.parquet", "usage_daily_20250102.parquet"}
    assert str(landing) in said
    code, _ = invoke("simulate", "--from", "2025-01-03", "--to", "2025-01-03", *options)
    assert code == 0
    assert (landing / "usage_daily" / "usage_daily_20250103.parquet").exists()


def test_simulating_another_operator_into_the_same_home_is_refused(invoke: Invoke) -> None:
    days = ["--from", "2025-01-01", "--to", "2025-01-01"]
    assert invoke("simulate", *days, "--subscribers", "20")[0] == 0
    code, said = invoke("simulate", *days, "--subscribers", "21")
    assert code == 1
    assert "subscribers is 20, asked for 21" in said


def test_a_table_shows_numbers_with_separators_and_unknown_as_empty() -> None:
    said = io.StringIO()
    console = Console(file=said, width=200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "console", console)
        cli.print_table("It", [{"rows_kept": 1234567, "last": None, "含义": "主键字段为空"}])
        cli.print_table("Else", [])
    assert "1,234,567" in said.getvalue()
    assert "rows kept" in said.getvalue()
    assert "主键字段为空" in said.getvalue()
    assert "None" not in said.getvalue()
    assert "Else: none" in said.getvalue()
