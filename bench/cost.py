"""Dollars for a million pictures on Lambda, from measured time and memory and a dated table of prices.

Owns the model: how long a job takes at a memory size, which size is cheapest,
which requests it makes. Refuses to guess what was not measured: S3's latency.
"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from contenders import OURS

# Lambda gives processor time in proportion to memory; here it is one whole vCPU.
MB_PER_VCPU = 1769
SMALLEST_MB, LARGEST_MB = 128, 10_240
# Memory beside what was measured: the page cache, a larger picture, an allocator that keeps its pages.
HEADROOM = 1.25
# Sizes whose cost differs by less are the same, and the faster is taken.
SAME = 1.01
PICTURES = 1_000_000


@dataclass(frozen=True)
class Cost:
    """Of a million pictures, in dollars; `milliseconds` of one. It fits from `least_mb` on."""

    least_mb: int
    memory_mb: int
    milliseconds: int
    gb_seconds: float
    compute: float
    requests: float

    @property
    def total(self) -> float:
        return self.compute + self.requests


def prices(path: Path = Path(__file__).with_name("lambda_prices.toml")) -> dict:
    return tomllib.loads(path.read_text())


def milliseconds(wall_ms: float, cpu_ms: float, memory_mb: int) -> int:
    """Billed time of a job at a memory size, rounded up as the bill is. Its processor time is
    stretched by the share of a vCPU; more than was measured does not make it shorter."""
    return math.ceil(max(wall_ms, cpu_ms / (memory_mb / MB_PER_VCPU)))


def runtime(name: str, cold_start: list[dict]) -> dict:
    """The row of the cold starts that has a contender's language and its client of S3."""
    word = "minilab" if name == OURS else "node" if name.startswith("sharp") else "python3"
    return next(row for row in cold_start if row["name"].startswith(word))


def needed_mb(row: dict, cold_start: list[dict]) -> int:
    """The least memory that a function for this job needs. The job's process has no
    client of S3 and the started function has no job: what the second has beyond the idle first is added."""
    client = max(0, runtime(row["name"], cold_start)["peak_bytes"] - row["idle_bytes"])
    return max(SMALLEST_MB, math.ceil((row["peak_bytes"] + client) * HEADROOM / 2**20))


def requests(row: dict, table: dict) -> float:
    """One invocation, a GET and a PUT for each file; ours makes two HEADs more."""
    million = table["million_requests"]
    gets = 3 if row["name"] == OURS else 1
    return million["lambda"] + gets * million["s3_get"] + len(row["outputs"]) * million["s3_put"]


def cheapest(row: dict, cold_start: list[dict], table: dict, architecture: str) -> Cost:
    """The cheapest memory size that fits, and of those that cost the same the largest.
    Raises when none fits."""
    least = needed_mb(row, cold_start)
    if least > LARGEST_MB:
        raise ValueError(f"{row['name']} needs {least} MB: Lambda has at most {LARGEST_MB}")
    found = []
    for memory in range(least, LARGEST_MB + 1):
        billed = milliseconds(row["wall_ms"]["median"], row["cpu_ms"]["median"], memory)
        gb_seconds = billed / 1e3 * memory / 1024 * PICTURES
        found.append((gb_seconds, memory, billed))
    bound = min(found)[0] * SAME
    gb_seconds, memory, billed = max((each for each in found if each[0] <= bound), key=lambda each: each[1])
    return Cost(least, memory, billed, gb_seconds, gb_seconds * table["gb_second"][architecture], requests(row, table))
