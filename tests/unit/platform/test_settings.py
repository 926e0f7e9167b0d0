"""What the environment may say, and the keys that come from one secret."""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestration.settings import Settings


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        "HOME": str(tmp_path / "home"),
        "LANDING": str(tmp_path / "in"),
        "TIMEZONE": "Europe/Vilnius",
        "START_DATE": "2018-01-31",
        "SECRET_KEY": "s",
        "SETTLE_SECONDS": "5",
        "POLICY_OVERRIDES": '{"list_language": "zh"}',
        "DBT_TARGET": "other",
        "MEMORY_LIMIT": "1GB",
        "THREADS": "3",
    }
    assert {name.lower() for name in values} == set(Settings.model_fields)
    for name, value in values.items():
        monkeypatch.setenv(f"RETENTION_{name}", value)
    settings = Settings.from_environment()
    assert settings.home == tmp_path / "home"
    assert settings.landing_zone == tmp_path / "in"
    assert (settings.timezone, settings.start_date) == ("Europe/Vilnius", date(2018, 1, 31))
    assert settings.policy_overrides == {"list_language": "zh"}
    assert (settings.settle_seconds, settings.threads) == (5, 3)
    assert (settings.memory_limit, settings.dbt_target) == ("1GB", "other")


def test_a_misspelt_variable_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETENTION_HOMME", "x")
    with pytest.raises(ValueError, match=r"RETENTION_HOMME.*known:.*RETENTION_HOME\b"):
        Settings.from_environment()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("threads", 0),
        ("settle_seconds", -1),
        ("start_date", "2025-02-30"),
    ],
)
def test_impossible_values_are_errors_that_name_the_field(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


def test_paths_are_absolute_whatever_was_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A child process in another folder must find the same home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    settings = Settings(home=Path("data"), landing=Path("~/in"))
    assert settings.home == tmp_path / "data"
    assert settings.landing_zone == tmp_path / "me" / "in"
    assert Settings(home=Path("data")).landing_zone == tmp_path / "data" / "landing"


def test_one_secret_gives_a_key_for_each_purpose(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, secret_key="s")
    keys = [settings.key(purpose) for purpose in ("token", "vault", "arms")]
    assert {len(key) for key in keys} == {32}
    assert len(set(keys)) == 3
    assert keys[0] == Settings(home=tmp_path / "elsewhere", secret_key="s").key("token")
    assert keys[0] != Settings(home=tmp_path, secret_key="t").key("token")
    assert not (tmp_path / "development.key").exists()


def test_an_empty_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """D04: tokens under an empty key could be made by anybody."""
    monkeypatch.setenv("RETENTION_SECRET_KEY", "")
    with pytest.raises(ValidationError, match="secret_key"):
        Settings.from_environment()


def test_the_secret_is_shown_nowhere() -> None:
    settings = Settings(secret_key="open sesame")
    assert "sesame" not in f"{settings!r} {settings} {settings.model_dump_json()}"


def test_without_a_secret_a_development_key_is_made_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    key = Settings(home=home).key("token")
    path = home / "development.key"
    captured = capsys.readouterr()
    assert "RETENTION_SECRET_KEY is not set" in captured.err
    assert captured.out == ""
    assert path.read_text() not in captured.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Settings(home=home).key("token") == key
    assert Settings(home=tmp_path / "other").key("token") != key
