"""The signals of a synthetic operator against the plain reference, and against what was planted.

`python benchmarks/signals_on_simulator.py [--subscribers 50000] [--days 365] [--dates …] [--home FOLDER] [--json]`

The operator is simulated with dirt in its files, loaded day by day into the core marts, and looked at
as of each date: every signal, link and dual handset of every line must be what the reference
(tests/reference) reads in the same landing files, and links, dual handsets and agents are held against
the simulator's truth. Simulation, loading and each date's two readings are processes of their own; with
--home they are kept, and a later call does only what is missing. Models are those of the working tree:
delete `dates/` in the home to look at the dates anew. The default dates: a month-end, the day on which
circles were released and the one after it, the day before the last, and the last.

Exits with 1 when a line differs.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.homes import installation_in

FIRST = date(2024, 7, 1)
SEED = 31
DIRT = "light,missing_file=1.5%,absent_column=1%"
SHOWN = 5
Answers = dict[str, bool | None]


@dataclass(frozen=True)
class Operator:
    """One size, in a folder of its own."""

    home: Path
    subscribers: int
    days: int
    dirt: str

    @property
    def last(self) -> date:
        return FIRST + timedelta(days=self.days - 1)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def truth(self) -> Path:
        return self.home / "truth"

    @cached_property
    def loaded(self) -> Any:
        from tests.step1.loaded_operator import LoadedOperator

        return LoadedOperator(installation_in(self.home, FIRST), FIRST, self.last)

    def default_dates(self) -> list[date]:
        """Month-end, release of circles and the day after, the day before the last, the last."""
        released = self.last.replace(day=3)
        if (self.last - released).days < 5:
            released = (released - timedelta(days=5)).replace(day=3)
        month_end = (self.last - timedelta(days=120)).replace(day=1) - timedelta(days=1)
        dates = {month_end, released, released + timedelta(days=1), self.last - timedelta(days=1)}
        return sorted({*dates, self.last})


def live(operator: Operator) -> None:
    """The landing files and the truth."""
    from orchestration.simulator import simulate

    simulate(
        operator.subscribers,
        FIRST,
        operator.last,
        SEED,
        operator.landing,
        operator.truth,
        dirt=operator.dirt,
    )


def load(operator: Operator) -> None:
    """Every feed of every day into raw, and staging and core from there."""
    operator.loaded.load()


def look_at(operator: Operator, day: date) -> dict[str, Any]:
    """What the platform says as of the day."""
    from tests.step1.test_signals_equal_the_reference import SIGNALS, found

    loaded = operator.loaded
    loaded.look_at(day)
    of_day = f"where as_of_date = date '{day}'"
    return {
        "signals": {code: found(loaded, code, day) for code in SIGNALS},
        "links": loaded.query(
            "select old_subscriber_id, new_subscriber_id, link_kind, is_frozen"
            f" from step1_find.reentry_links {of_day}"
        ),
        "agents": loaded.query(
            f"select agent_id, activations, is_alert from step1_find.agent_arbitrage {of_day}"
        ),
        "limits": dict(
            loaded.query(
                "select parameter, cast(value as integer) from policy.signal_parameters"
                " where parameter in ('reentry_link_days', 'arbitrage_min_activations')"
            )
        ),
    }


def read(operator: Operator, day: date) -> dict[str, Any]:
    """What the reference reads in the landing files as of the day."""
    from tests.reference.evaluate import CODES, Reference

    reference = Reference.as_of(operator.landing, day)
    signals: dict[str, Answers] = {code: {} for code in CODES}
    for name, line in reference.book.base.items():
        for code in CODES:
            signals[code][name] = reference.finding(line, code).is_true
    return {
        "signals": signals,
        "links": [(link.old_id, link.new_id, link.kind) for link in reference.links],
        "agents": [(name, agent.n, agent.is_alert) for name, agent in reference.agents.items()],
    }


def differences(want: Mapping[str, object], got: Mapping[str, object]) -> list[tuple[str, str]]:
    """What differs, with what each says."""
    return [
        (name, f"{want.get(name, 'no row')}, not {got.get(name, 'no row')}")
        for name in sorted(want.keys() | got.keys())
        if want.get(name, "no row") != got.get(name, "no row")
    ]


def compared(reference: Mapping[str, Any], platform: Mapping[str, Any]) -> dict[str, Any]:
    """By signal: lines, fired, unknown, different. Links that were final on an earlier date stay as
    they were and are not read again."""
    found = {}
    for code, want in reference["signals"].items():
        wrong = differences(want, platform["signals"][code])
        found[code] = {
            "lines": len(want),
            "fired": sum(each is True for each in want.values()),
            "unknown": sum(each is None for each in want.values()),
            "different": len(wrong),
            "shown": wrong[:SHOWN],
        }
    final = {each for *pair, _, is_frozen in platform["links"] if is_frozen for each in pair}
    tables = {
        "re-entry links": [
            {f"{old} {new}": kind for old, new, kind, *_ in side if not {old, new} & final}
            for side in (reference["links"], platform["links"])
        ],
        "agents": [
            {agent: (n, is_alert) for agent, n, is_alert in side}
            for side in (reference["agents"], platform["agents"])
        ],
    }
    for name, (want, got) in tables.items():
        wrong = differences(want, got)
        found[name] = {
            "lines": len(want),
            "fired": sum("None" not in str(each) for each in want.values()),
            "unknown": 0,
            "different": len(wrong),
            "shown": wrong[:SHOWN],
        }
    return found


def planted(operator: Operator, day: date, platform: Mapping[str, Any]) -> dict[str, Any]:
    """What the platform finds of what was planted, as of the day.

    What a rule leaves out by its words is not wanted of it: pairs more than 90 days apart and old lines
    removed for fraud. A pair is final when its link is (O30): before that some of its evidence has not
    been delivered. A second handset is wanted when it has been there for two closed months and its
    owner has not left.
    """

    def rows(columns: str, table: str, where: str = "true") -> list[tuple[Any, ...]]:
        source = f"read_parquet('{operator.truth}/{table}/*.parquet')"
        return duckdb.execute(f"select {columns} from {source} where {where}").fetchall()

    pairs = {
        (old, new): (left_on, gap, shows)
        for old, new, left_on, gap, *shows in rows(
            "old_subscriber_id, new_subscriber_id, old_left_on, gap_days,"
            " has_same_id, has_same_device, has_same_circle, has_same_home",
            "reentries",
            f"new_activated_on <= date '{day}'",
        )
    }
    link_days = platform["limits"]["reentry_link_days"]
    min_activations = platform["limits"]["arbitrage_min_activations"]
    left = dict(rows("subscriber_id, left_on", "exits"))
    frauds = {name for (name,) in rows("subscriber_id", "exits", "exit = 'FRAUD_REMOVED'")}
    due = {
        pair: shows
        for pair, (left_on, gap, shows) in pairs.items()
        if gap is not None and abs(gap) <= link_days and left_on <= day
        if pair[0] not in frauds
    }
    final = {
        pair: shows for pair, shows in due.items() if final_on(pairs[pair][0], link_days) <= day
    }
    links = {(old, new) for old, new, *_ in platform["links"]}
    final_links = {(old, new) for old, new, _, is_frozen in platform["links"] if is_frozen}

    owners = dict(rows("subscriber_id, since", "dual_handsets"))
    joined = dict(rows("subscriber_id, activated_on", "people"))
    duals = platform["signals"]["DUAL_HANDSET"]
    flagged = {name for name, is_true in duals.items() if is_true}
    month = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    seen = {
        name
        for name, since in owners.items()
        if name in duals and max(since, joined[name]) <= before and left.get(name, date.max) > day
    }
    owned = {name for name, since in owners.items() if since <= day}

    washers = {name for (name,) in rows("agent_id", "washing_agents")}
    sold = {name: n for name, n, _ in platform["agents"]}
    alerted = {name for name, _, is_alert in platform["agents"] if is_alert}
    washing = {name for name in washers if sold.get(name, 0) >= min_activations}
    return {
        "links": share(len(links & pairs.keys()), len(links)),
        "final links": share(len(final_links & pairs.keys()), len(final_links)),
        "pairs": share(len(links & due.keys()), len(due)),
        "final pairs": share(len(links & final.keys()), len(final)),
        "unlinked final pairs by what shows": Counter(
            " ".join(
                name
                for name, shows in zip(("ID", "DEVICE", "CIRCLE", "HOME"), each, strict=True)
                if shows
            )
            or "nothing"
            for pair, each in final.items()
            if pair not in links
        ),
        "dual handsets": share(len(flagged & owned), len(flagged)),
        "owners": share(len(flagged & seen), len(seen)),
        "washing agents": share(len(alerted & washing), len(washing)),
        "other agents alerted": len(alerted - washers),
        "agents looked at": sum(n >= min_activations for n in sold.values()),
    }


def final_on(left_on: date, link_days: int) -> date:
    """The day from which a link of the old line is final (O30): these days, and two months more."""
    month = (left_on + timedelta(days=link_days)).replace(day=1)
    return (month + timedelta(days=92)).replace(day=1)


def share(part: int, whole: int) -> dict[str, Any]:
    return {"of": whole, "right": part, "share": part / whole if whole else None}


PHASES: Mapping[str, Callable[..., Any]] = {
    "live": live,
    "load": load,
    "look_at": look_at,
    "read": read,
}


def kept(operator: Operator, phase: str, day: date | None) -> Any:
    """The phase's answer: from the home, else worked out in a process of its own."""
    answer = operator.home / "dates" / f"{day}.{phase}.pickle" if day else operator.home / phase
    if not answer.exists():
        answer.parent.mkdir(parents=True, exist_ok=True)
        child = [
            *(sys.executable, "-W", "ignore", __file__, "--phase", phase),
            *("--home", str(operator.home), "--subscribers", str(operator.subscribers)),
            *("--days", str(operator.days), "--dirt", operator.dirt, "--answer", str(answer)),
            *(("--dates", str(day)) if day else ()),
        ]
        subprocess.run(child, check=True, env=os.environ | {"DO_NOT_TRACK": "1"})
    return pickle.loads(answer.read_bytes())  # noqa: S301 - our own file


def run_phase(operator: Operator, options: argparse.Namespace) -> None:
    began = time.perf_counter()
    found = PHASES[options.phase](operator, *options.dates)
    figures = {
        "seconds": time.perf_counter() - began,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stderr.write(f"{options.phase} {[str(day) for day in options.dates]}: {figures}\n")
    options.answer.write_bytes(pickle.dumps((figures, found)))


def show(figures: Mapping[str, Any]) -> None:
    print(f"\n{figures['date']}: signal, lines, fired, unknown, different from the reference")
    for code, each in figures["signals"].items():
        print(
            f"  {code:28}{each['lines']:8}{each['fired']:8}{each['unknown']:8}{each['different']:8}"
        )
        for name, what in each["shown"]:
            print(f"      {name}: {what}")
    print("  of what was planted: right, of, share")
    for name, each in figures["planted"].items():
        if isinstance(each, dict) and "of" in each:
            text = "" if each["share"] is None else f"{each['share']:8.1%}"
            print(f"  {name:36}{each['right']:8}{each['of']:8}{text}")
        else:
            print(f"  {name:36}{dict(each) if isinstance(each, dict) else each}")


def measured(operator: Operator, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The figures of each date. The platform looks at the dates in order, as days come."""
    costs = {phase: kept(operator, phase, None)[0] for phase in ("live", "load")}
    found = []
    for day in sorted(options.dates or operator.default_dates()):
        platform_costs, platform = kept(operator, "look_at", day)
        reference_costs, reference = kept(operator, "read", day)
        figures = {
            "date": str(day),
            "signals": compared(reference, platform),
            "planted": planted(operator, day, platform),
            "costs": costs | {"look_at": platform_costs, "read": reference_costs},
        }
        if options.json:
            print(json.dumps(figures), flush=True)
        else:
            show(figures)
        found.append(figures)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subscribers", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--dirt", default=DIRT)
    parser.add_argument("--dates", nargs="+", type=date.fromisoformat, default=[])
    parser.add_argument("--home", type=Path, help="kept and used again; default: thrown away")
    parser.add_argument("--json", action="store_true", help="a line of JSON a date, nothing else")
    # How this file starts itself.
    parser.add_argument("--phase", choices=list(PHASES), help=argparse.SUPPRESS)
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        run_phase(Operator(options.home, options.subscribers, options.days, options.dirt), options)
        return 0
    folder = options.home or Path(tempfile.mkdtemp(prefix="signals-on-simulator-"))
    home = (folder / f"{options.subscribers}x{options.days}").resolve()
    home.mkdir(parents=True, exist_ok=True)
    try:
        found = measured(Operator(home, options.subscribers, options.days, options.dirt), options)
    finally:
        if not options.home:
            shutil.rmtree(folder)
    wrong = sum(each["different"] for day in found for each in day["signals"].values())
    if not options.json:
        print("\nall equal" if not wrong else f"\n{wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
