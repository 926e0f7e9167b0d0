"""The house as drawn: who may import whom, one list of feeds, labels for every code, one truth."""

from __future__ import annotations

import ast
import csv
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer

from orchestration.cli import app
from orchestration.contracts import Feed
from orchestration.settings import PROJECT_ROOT

CODE = PROJECT_ROOT / "orchestration"
PURE = ("retention", "landing", "simulator", "importers")
FRAMEWORKS = {"dagster", "dagster_dbt", "dbt", "great_expectations"}
SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"


def modules_of(*folders: str) -> list[Path]:
    paths = [path for folder in folders for path in sorted((PROJECT_ROOT / folder).rglob("*.py"))]
    assert paths
    return paths


def imports_of(path: Path) -> Iterator[str]:
    """The full names of what a module imports, within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(paths: list[Path], forbidden: set[str]) -> list[str]:
    return [
        f"{path.relative_to(PROJECT_ROOT)} imports {name}"
        for path in paths
        for name in imports_of(path)
        if any(name == each or name.startswith(f"{each}.") for each in forbidden)
    ]


def test_the_domain_knows_no_framework() -> None:
    paths = modules_of(*(f"orchestration/{folder}" for folder in PURE))
    assert offenders(paths, FRAMEWORKS) == []


def test_the_domain_does_not_know_who_uses_it() -> None:
    outer = {
        f"orchestration.{name}"
        for name in ("defs", "definitions", "installation", "settings", "runs", "cli", "demo")
    } | {"expectations", "tests", "benchmarks"}
    paths = modules_of(*(f"orchestration/{folder}" for folder in PURE))
    assert offenders(paths, outer) == []


def test_the_simulated_operator_is_a_stranger() -> None:
    """It knows nothing of the platform but the form of its lists, and the platform nothing of it."""
    of_platform = [
        name
        for path in modules_of("orchestration/simulator")
        for name in imports_of(path)
        if name.startswith(("orchestration.", "expectations"))
        and not name.startswith("orchestration.simulator")
    ]
    assert of_platform == []
    users = [
        path.relative_to(PROJECT_ROOT).as_posix()
        for path in modules_of("orchestration", "expectations")
        if "simulator" not in path.parts
        and any(name.startswith("orchestration.simulator") for name in imports_of(path))
    ]
    assert users == ["orchestration/demo.py"]


def test_expectations_need_no_framework_to_be_read() -> None:
    assert offenders(modules_of("expectations"), FRAMEWORKS | {"orchestration.defs"}) == []


def reads_environment(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    uses = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return bool(uses & {"os.environ", "os.getenv", "os.environb"}) or "os.environ" in set(
        imports_of(path)
    )


def test_one_module_reads_the_environment() -> None:
    """Others may only hand it on to what they start."""
    readers = {
        path.relative_to(CODE).as_posix()
        for path in modules_of("orchestration", "expectations")
        if reads_environment(path)
    }
    # installation.py exports to dbt, runs.py and cli.py to Dagster.
    assert readers == {"settings.py", "installation.py", "runs.py", "cli.py"}


def test_only_the_operator_and_what_measures_knows_the_truth() -> None:
    """A platform that could see the truth would prove nothing."""
    knowing = [
        path.relative_to(PROJECT_ROOT).as_posix()
        for path in modules_of("orchestration", "expectations")
        if "simulator" not in path.parts
        and re.search(r"[\"']truth[\"'/]|/truth\b", path.read_text(encoding="utf-8"))
    ]
    # demo.py tells the simulator where to keep it.
    assert knowing == ["orchestration/demo.py"]
    models = [
        path
        for path in (PROJECT_ROOT / "dbt_project").rglob("*.sql")
        if "truth" in path.read_text(encoding="utf-8").lower()
    ]
    assert models == []


def test_only_the_publisher_and_the_door_open_the_vault() -> None:
    """D04."""
    readers = {
        path.relative_to(CODE).as_posix()
        for path in modules_of("orchestration")
        if any(name.endswith(".read_vault") for name in imports_of(path))
    }
    assert readers == {"defs/step3_act/contacts.py"}


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "helper", "misc", "shared", "base", "core"}
    found = [
        path.relative_to(PROJECT_ROOT).as_posix()
        for path in modules_of("orchestration", "expectations", "benchmarks", "tests")
        if path.stem in drawers or set(path.relative_to(PROJECT_ROOT).parts[:-1]) & drawers
    ]
    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path.relative_to(PROJECT_ROOT).as_posix()
        for path in modules_of("orchestration", "expectations", "benchmarks", "tests")
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_no_test_is_skipped() -> None:
    """A test that is not run proves nothing."""
    marks = re.compile(r"pytest\.(?:mark\.)?(?:skip|skipif|xfail|importorskip)\b")
    marked = [
        path.relative_to(PROJECT_ROOT).as_posix()
        for path in modules_of("tests")
        if path != Path(__file__) and marks.search(path.read_text(encoding="utf-8"))
    ]
    assert marked == []


def test_the_documented_feeds_are_the_declared_ones(feeds: Mapping[str, Feed]) -> None:
    text = (PROJECT_ROOT / "docs" / "feeds.md").read_text(encoding="utf-8")
    _, section = text.split("\n## The feeds\n")
    table = section.split("\n## ")[0]
    documented = {
        cells[0].strip(" `"): (cells[1].strip(), cells[2].strip())
        for line in table.splitlines()
        if line.startswith("| `")
        for cells in [line.strip("|").split("|")]
    }
    assert documented == {feed.name: (feed.cadence, ", ".join(feed.key)) for feed in feeds.values()}


def labelled_codes() -> Iterator[tuple[str, Mapping[str, str]]]:
    for path in sorted((SEEDS / "codes").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row.get("code_set") or path.stem, row


def test_every_code_has_words_in_both_languages() -> None:
    for code_set, row in labelled_codes():
        assert row["label_en"].strip(), (code_set, row)
        assert re.search("[\u4e00-\u9fff]|^[A-Z0-9+ .]+$", row["label_zh"]), (code_set, row)


def test_every_code_set_that_a_feed_uses_is_a_table_of_codes(feeds: Mapping[str, Feed]) -> None:
    used = {column.code_set for feed in feeds.values() for column in feed.columns}
    tables = {code_set for code_set, _ in labelled_codes()}
    assert used - {None} <= tables


def test_codes_are_distinct_within_their_set() -> None:
    seen: set[tuple[str, str]] = set()
    for code_set, row in labelled_codes():
        code = row.get("code") or row.get("cause") or row.get("reason") or ""
        assert (code_set, code) not in seen
        seen.add((code_set, code))
    assert len(seen) > 150


def commands() -> Mapping[str, Any]:
    """Name -> command of the command line."""
    return typer.main.get_command(app).commands  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("readme", ["README.md", "CONTRIBUTING.md"])
def test_documented_commands_exist(readme: str) -> None:
    text = (PROJECT_ROOT / readme).read_text(encoding="utf-8")
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M))
    assert named
    assert named <= targets
    used = set(re.findall(r"\bretention ([a-z-]+) ?--|`?\.venv/bin/retention ([a-z-]+)", text))
    assert {name for pair in used for name in pair if name} <= set(commands())


def test_documented_options_exist() -> None:
    text = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    run = commands()["run"]
    options = {option for parameter in run.params for option in parameter.opts}
    used = {
        option
        for line in re.findall(r"retention run (.*)", text)
        for option in re.findall(r"--[a-z]+", line)
    }
    assert used == {"--date", "--from", "--to"}
    assert used <= options


def test_the_simulator_s_options_are_documented() -> None:
    """A row of the table for each option, and no other."""
    text = (PROJECT_ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`--[^|]*) \|", text, re.M)
    documented = [option for row in rows for option in re.findall(r"`(--[a-z-]+)`", row)]
    options = [option for each in commands()["simulate"].params for option in each.opts]
    assert sorted(documented) == sorted(option for option in options if option != "--help")


def test_every_module_of_the_simulator_has_its_place() -> None:
    """In the table of the architecture, once."""
    text = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.split("\n## The simulator's place\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    places = [place for row in rows for place in re.findall(r"`([a-z_*]+\.py)`", row)]
    modules = {path.name for path in modules_of("orchestration/simulator")} - {"__init__.py"}
    homeless = {
        module: found
        for module in modules
        if len(found := [place for place in places if fnmatch(module, place)]) != 1
    }
    assert homeless == {}
    assert all(any(fnmatch(module, place) for module in modules) for place in places)


def test_documented_places_exist() -> None:
    """Links and folders that the README names."""
    for readme in ("README.md", "CONTRIBUTING.md"):
        text = (PROJECT_ROOT / readme).read_text(encoding="utf-8")
        links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", text)
        places = re.findall(
            r"`((?:orchestration|dbt_project|expectations|benchmarks|docs)/[^`<*]*)`", text
        )
        missing = [place for place in (*links, *places) if not (PROJECT_ROOT / place).exists()]
        assert missing == [], readme


def test_every_make_target_is_explained() -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert phony is not None
    explained = set(re.findall(r"^([a-z-]+):.*##", makefile, re.M))
    assert set(phony[1].split()) == explained


def test_what_runs_leaves_nothing_in_the_tree() -> None:
    """Runtime data belong under the home, and the default home is not of the tree's files."""
    ignored = (PROJECT_ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {"data/", ".venv/"} <= {line.lstrip("/") for line in ignored}
