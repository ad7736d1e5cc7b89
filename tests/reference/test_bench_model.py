"""The cost model, the plots and the targets of bench/, which are pure functions of measured figures."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import contenders  # noqa: E402  (bench/ is no package)
import cost  # noqa: E402
import guard  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402

MIB = 2**20
COLD_START = [
    {"name": "minilab", "peak_bytes": 9 * MIB},
    {"name": "python3 + boto3 + Pillow", "peak_bytes": 54 * MIB},
    {"name": "node + S3 client + sharp", "peak_bytes": 79 * MIB},
]


def row(name: str, wall: float, cpu: float, peak_mib: int, idle_mib: int, files: int = 5, **more: object) -> dict:
    return {
        "name": name,
        "wall_ms": {"median": wall},
        "cpu_ms": {"median": cpu},
        "peak_bytes": peak_mib * MIB,
        "idle_bytes": idle_mib * MIB,
        "outputs": [{"score": 90.0, "psnr_db": 40.0, "ssim": 0.99}] * files,
        "bytes": 1000,
        **more,
    }


@pytest.mark.parametrize(
    ("memory", "billed"),
    [
        (1769, 60),  # one vCPU: the processor time, all of it one after the other
        (3538, 50),  # two: no faster than it was measured
        (10_240, 50),
        (442, 241),  # a quarter, rounded up
    ],
)
def test_time_is_stretched_by_the_share_of_a_processor(memory: int, billed: int) -> None:
    assert cost.milliseconds(50, 60, memory) == billed


def test_the_wait_of_a_job_that_does_not_compute_is_not_stretched() -> None:
    assert cost.milliseconds(100, 1, 1769) == 100


@pytest.mark.parametrize(
    ("name", "peak", "idle", "needed"),
    [
        ("minilab", 36, 5, 128),  # Lambda's smallest
        ("sharp, tuned", 147, 72, 193),  # (147 + 79 - 72) * 1.25
        ("Pillow", 106, 30, 163),  # (106 + 54 - 30) * 1.25
        ("ImageMagick", 400, 100, 500),  # the client is smaller than what idles already
    ],
)
def test_memory_holds_the_job_and_the_client_and_a_quarter_more(name: str, peak: int, idle: int, needed: int) -> None:
    assert cost.needed_mb(row(name, 1, 1, peak, idle), COLD_START) == needed


def test_requests_count_our_two_heads_more() -> None:
    table = cost.prices()
    assert cost.requests(row("minilab", 1, 1, 1, 1), table) == pytest.approx(0.20 + 3 * 0.40 + 5 * 5.00)
    assert cost.requests(row("Pillow", 1, 1, 1, 1, files=1), table) == pytest.approx(0.20 + 0.40 + 5.00)


def test_of_sizes_that_cost_the_same_the_fastest_is_taken() -> None:
    # One thread: every size up to one vCPU costs the same but for rounding, beyond it memory is idle.
    found = cost.cheapest(row("Pillow", 400, 400, 106, 30), COLD_START, cost.prices(), "x86_64")
    assert 1769 <= found.memory_mb <= 1769 * cost.SAME
    assert found.milliseconds == 400
    assert found.gb_seconds == pytest.approx(400e3 * found.memory_mb / 1024)
    assert found.compute == pytest.approx(found.gb_seconds * 0.0000166667)
    assert found.total == found.compute + found.requests


def test_arm64_costs_a_fifth_less_for_the_same_work() -> None:
    one = row("minilab", 48, 67, 36, 5)
    x86, arm = (cost.cheapest(one, COLD_START, cost.prices(), each) for each in ("x86_64", "arm64"))
    assert arm.memory_mb == x86.memory_mb
    assert arm.compute / x86.compute == pytest.approx(0.8, abs=1e-4)


def test_a_job_that_fits_no_function_is_an_error() -> None:
    with pytest.raises(ValueError, match="Pillow needs"):
        cost.cheapest(row("Pillow", 1, 1, 9000, 30), COLD_START, cost.prices(), "x86_64")


def test_bars_are_proportional_and_sorted_and_text_is_escaped() -> None:
    drawing = ElementTree.fromstring(plots.bars("a & b", [("slow <1>", 200.0, False), ("minilab", 50.0, True)]))
    space = "{http://www.w3.org/2000/svg}"
    rects = drawing.findall(f"{space}rect")
    assert [rect.get("class") for rect in rects] == ["ours", "bar"]
    assert float(rects[1].get("width")) == 4 * float(rects[0].get("width"))
    assert "slow <1>" in [text.text for text in drawing.findall(f"{space}text")]
    assert drawing.get("aria-label") == "a & b"


def test_the_best_peer_is_the_fastest_whose_files_are_as_good() -> None:
    ours = row("minilab", 50, 60, 36, 5)
    smaller = row("OpenCV, tuned", 60, 60, 36, 5, bytes=900)
    results = {"jobs": {"widths": [ours, row("sharp", 140, 240, 147, 72), smaller, row("pyvips", 100, 120, 60, 30)]}}
    lines = {line[0]: line[1:] for line in report.targets(results)}
    assert lines["widths: wall time at most 0.65 of the best peer's"] == ["0.50 (pyvips)", "met"]
    assert lines["widths: wall time at most 0.5 of sharp's"] == ["0.36", "met"]
    assert not any("alone" in line for line in lines)
    results["floors"] = {"widths": row(contenders.FLOOR, 40, 48, 30, 5)}
    lines = {line[0]: line[1:] for line in report.targets(results)}
    assert lines["widths: CPU time at most 1.35 of decoding and encoding alone"] == ["1.25", "met"]
    results["jobs"]["widths"][1:] = [row("sharp", 140, 240, 147, 72, bytes=900)]
    lines = {line[0]: line[1:] for line in report.targets(results)}
    assert lines["widths: wall time at most 0.65 of the best peer's"][1].startswith("not comparable")


def test_every_target_names_a_contender_of_its_job() -> None:
    cold = {"python3 + boto3 + Pillow", "node + S3 client + sharp"}
    for job, listed in contenders.TARGETS.items():
        names = {peer.name for peer in contenders.PEERS if peer.job == job} | (cold if job == "cold start" else set())
        for target in listed:
            floors = [contenders.FLOOR] if job in contenders.FLOORS else []
            assert target.against in (None, contenders.BEST, *floors) or target.against in names, target


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (1_030, []),
        (970, []),
        (1_031, ["widths: 1,031 instructions, 3.1% more than the recorded 1,000"]),
        (969, ["widths: 969 instructions, 3.1% fewer than the recorded 1,000"]),
    ],
)
def test_a_change_of_more_than_three_per_cent_is_named_with_its_figure(found: int, said: list[str]) -> None:
    assert guard.changes({"widths": 1_000}, {"widths": found}) == said


def test_a_job_that_was_never_counted_is_named() -> None:
    assert guard.changes({}, {"png": 7}) == ["png: 7 instructions, none recorded"]


def test_counts_of_another_toolchain_are_not_compared_and_the_reason_is_told() -> None:
    assert guard.differences({"rustc": "1.95.0"}, {"rustc": "1.95.0"}) == []
    (reason,) = guard.differences({"rustc": "1.95.0", "simd": "avx2"}, {"rustc": "1.96.0", "simd": "avx2"})
    assert reason == "rustc is '1.96.0', recorded with '1.95.0'"
