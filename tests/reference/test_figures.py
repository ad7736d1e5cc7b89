"""The published figures are those of the newest measurement in the repository."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import report  # noqa: E402  (bench/ is no package)


def newest() -> dict:
    files = sorted((ROOT / "bench" / "results").glob("*.json"))
    assert files, "bench/results is empty: run make bench"
    return json.loads(files[-1].read_text())


def test_the_benchmark_page_is_rendered_from_the_newest_results() -> None:
    assert (ROOT / "docs" / "benchmarks.md").read_text() == report.page(newest())


def test_the_readme_shows_the_newest_results() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme == report.with_summary(readme, newest())


def test_the_plots_are_drawn_from_the_newest_results_and_none_is_left_over() -> None:
    folder = ROOT / "docs" / "benchmarks"
    assert {path.name: path.read_text() for path in folder.iterdir()} == report.drawings(newest())
