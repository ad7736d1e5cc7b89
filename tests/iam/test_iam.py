"""The small cloud's IAM decisions beside an independent evaluator's, on made-up policies and requests.

    MINILAB_IAM_CASES=50000 MINILAB_IAM_SEED=7 .tools/venv/bin/python -m pytest tests/iam

tries more cases, or others.
"""

import json
import os
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from disagreements import ROWS

HERE = Path(__file__).resolve().parent
CASES = int(os.environ.get("MINILAB_IAM_CASES", "4000"))
SEED = int(os.environ.get("MINILAB_IAM_SEED", "1"))


@pytest.fixture(scope="session")
def cases(minilab: Path) -> list[dict]:
    """The cases with our decisions, and `theirs`."""
    # Built with the Rust tests, whatever profile minilab itself has.
    program = minilab.parent / "examples" / "iam_cases"
    if not program.is_file():
        pytest.fail(f"{program} does not exist: make programs")
    return judged(program)


@cache
def judged(program: Path) -> list[dict]:
    made = subprocess.run([program, str(SEED), str(CASES)], capture_output=True, text=True, check=True).stdout
    judge = ["node", HERE / "node" / "judge.mjs"]
    answers = subprocess.run(judge, input=made, capture_output=True, text=True, check=True).stdout
    found = [json.loads(line) for line in made.splitlines()]
    for case, answer in zip(found, map(json.loads, answers.splitlines()), strict=True):
        assert case["id"] == answer["id"]
        assert "error" not in answer, f"the judge refuses case {case['id']}: {answer['error']}"
        case["theirs"] = answer["allowed"]
    return found


def test_every_decision_agrees_or_the_documentation_says_why_not(cases: list[dict]) -> None:
    wrong = [case for case in cases if case["allowed"] != case["theirs"] and not any(row.explains(case) for row in ROWS)]
    shown = "\n".join(json.dumps(case) for case in sorted(wrong, key=lambda case: len(json.dumps(case)))[:3])
    assert not wrong, f"{len(wrong)} of {len(cases)} cases differ, the shortest being\n{shown}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_listed_disagreement_still_holds(cases: list[dict], row) -> None:
    held = [case for case in cases if row.explains(case) and case["allowed"] != case["theirs"]]
    assert held, f"{row.name}: they agree with us now; remove the row"


def test_the_cases_are_worth_judging(cases: list[dict]) -> None:
    """Allowed and denied often enough, by each kind of policy."""
    seen = Counter()
    for case in cases:
        seen["allowed" if case["allowed"] else "denied"] += 1
        seen["explicitly denied"] += "denies it explicitly" in case["because"]
        seen["by the resource's policy"] += case["allowed"] and "resource's policy" in case["because"]
        seen["held by a session policy"] += "the session policy does not" in case["because"]
        seen["held by a boundary"] += "the permissions boundary does not" in case["because"]
        seen["for nobody"] += case["allowed"] and case["principal"] is None
    rare = {what: count for what, count in seen.items() if count < len(cases) / 400}
    assert len(seen) == 7 and not rare, f"{seen}"
