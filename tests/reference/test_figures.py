"""The published figures are those of the newest measurement in the repository."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import auto_quality  # noqa: E402  (bench/ is no package)
import report  # noqa: E402


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


def test_the_quality_page_is_rendered_from_its_results_and_they_keep_the_promise() -> None:
    """Targets met within two points by another implementation's score; fewer bytes than the fixed quality needs."""
    results = json.loads(auto_quality.RESULTS.read_text())
    assert auto_quality.PAGE.read_text() == auto_quality.page(results)
    for name, prints in results["auto"].items():
        assert len(prints) == 20
        # One photograph of a format may score more than asked for, where the encoder's steps are that coarse.
        missed = auto_quality.missed(results, name)
        assert len(missed) <= 1 and all(points > 0 for points in missed.values()), (name, missed)
    for format in auto_quality.FORMATS:
        fixed, auto = results["fixed"][format], results["auto"][f"{format}-equal"]
        assert auto_quality.floor(auto) >= auto_quality.floor(fixed)
        assert auto_quality.total(auto) < auto_quality.total(fixed)
