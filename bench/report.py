"""From measured results to the Markdown page. Nothing on that page is written by hand."""

import cost
import plots
import quality
from contenders import BEST, COLD_START, FLOOR, JOBS, OURS, TARGETS

SCORES = (
    "The score is SSIMULACRA2: 100 is identical, 90 cannot be told apart, 70 is high quality. Where a table has it, "
    f"it takes the place of PSNR and SSIM: ours may be {quality.SCORE_SLACK:.0f} point lower, file by file, and above "
    f"{quality.BEST_SCORE:.0f} all are equal. Pictures with a side below 256 pixels have no score. The reference is "
    "Pillow's own resize, so that Pillow's PNG is identical to it. The peers' AVIFs have the quality whose score comes "
    "nearest to ours. The pictures of 24, 50 and 100 megapixels are the photograph enlarged, baseline, quality 90.\n"
)
# The jobs of which the README shows every peer; of the others it shows sharp as documented and the best peer.
SHOWN_WHOLE = ("widths", "cells")

NEVER_BY_HAND = "<!-- Written by bench/run.py from bench/results. Changes made by hand are lost. -->"


def _ours(rows: list[dict]) -> dict | None:
    return next((row for row in rows if row["name"] == OURS), None)


def _value(row: dict, key: str) -> float:
    return row[key]["median"] if isinstance(row[key], dict) else row[key]


def _megabytes(value: int) -> str:
    return f"{value / 1e6:.0f}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    align = ["---" if column == 0 else "--:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, align, *rows])


def _job(job: str, rows: list[dict]) -> str:
    ours = _ours(rows)
    scored = all("score" in row for row in rows)
    header = ["", "wall ms", "lowest–highest", "CPU ms", "peak MB", "files kB", "PSNR dB", "SSIM", "wall, ours/theirs"]
    if scored:
        header[6:6] = ["score"]
        header[-1:] = ["kB, ours/theirs", "wall, ours/theirs"]
    lines, notes = [], []
    for row in rows:
        ratio = smaller = ""
        if ours and row is not ours:
            ratio = f"{_value(ours, 'wall_ms') / _value(row, 'wall_ms'):.2f}"
            smaller = f"{ours['bytes'] / row['bytes']:.2f}"
            if reason := quality.inequality(ours, row):
                notes.append(f"{row['name']}: {reason}")
                ratio += f" [{len(notes)}]"
        wall = row["wall_ms"]
        lines.append(
            [
                f"**{row['name']}**, {row['how']}",
                f"{wall['median']:.1f}",
                f"{wall['lowest']:.1f}–{wall['highest']:.1f}",
                f"{_value(row, 'cpu_ms'):.1f}",
                f"{_megabytes(row['peak_bytes'])}",
                f"{row['bytes'] / 1e3:.0f}",
                *([f"{row['score']:.1f}"] if scored else []),
                f"{row['psnr_db']:.1f}",
                f"{row['ssim']:.3f}",
                *([smaller] if scored else []),
                ratio,
            ]
        )
    plot = f"![Wall time of each contender](benchmarks/{plots.name(job)})"
    text = f"## {JOBS[job].title}\n\n{plot}\n\n{_table(header, lines)}\n"
    if notes:
        text += "\nNot set against each other, because the files are not equally good:\n\n"
        text += "\n".join(f"- [{number}] {note}" for number, note in enumerate(notes, 1)) + "\n"
    return text


def _cold_start(rows: list[dict]) -> str:
    ours = _ours(rows)
    lines = []
    for row in rows:
        ratio = "" if not ours or row is ours else f"1/{_value(row, 'wall_ms') / _value(ours, 'wall_ms'):.1f}"
        wall = row["wall_ms"]
        lines.append(
            [
                f"**{row['name']}**",
                f"{wall['median']:.1f}",
                f"{wall['lowest']:.1f}–{wall['highest']:.1f}",
                f"{_value(row, 'cpu_ms'):.1f}",
                _megabytes(row["peak_bytes"]),
                ratio,
            ]
        )
    header = ["", "wall ms", "lowest–highest", "CPU ms", "memory MB", "wall, ours/theirs"]
    return (
        "## Cold start: from exec to the first request of the Runtime API\n\n"
        f"{_table(header, lines)}\n\nThe files are in the page cache; unpacking the function's package, "
        "which Lambda does before, is not in these figures. Python reads compiled bytecode.\n"
    )


def _rival(against: str, ours: dict, rows: list[dict]) -> dict | None:
    """The peer that a target names, or the fastest of those whose files may be set against ours."""
    peers = [row for row in rows if row is not ours]
    if against != BEST:
        return next(row for row in peers if row["name"] == against)
    equal = [row for row in peers if not quality.inequality(ours, row)]
    return min(equal, key=lambda row: _value(row, "wall_ms"), default=None)


def targets(results: dict) -> list[list[str]]:
    """Each target with the figure found: words, figure, met or not."""
    lines = []
    for job, listed in TARGETS.items():
        rows = results["jobs"].get(job)
        ours = _ours(rows) if rows else None
        if not ours:
            continue
        for target in listed:
            value = _value(ours, target.of)
            if target.against is None:
                figure, met, reason = f"{value / 1e6:.0f} MB", value <= target.limit, ""
            elif target.against == FLOOR:
                # Results from before there was a floor have none.
                if not (floor := results.get("floors", {}).get(job)):
                    continue
                ratio = value / _value(floor, target.of)
                figure, met, reason = f"{ratio:.2f}", ratio <= target.limit, ""
            else:
                theirs = _rival(target.against, ours, rows)
                if theirs is None:
                    lines.append([f"{job}: {target.words}", "", "not comparable: no peer's files are as good"])
                    continue
                ratio = value / _value(theirs, target.of)
                figure = f"1/{1 / ratio:.1f}" if target.limit < 0.1 else f"{ratio:.2f}"
                if target.against == BEST:
                    figure += f" ({theirs['name']})"
                met = ratio <= target.limit
                reason = quality.inequality(ours, theirs) if "bytes" in ours else ""
            verdict = f"not comparable: {reason}" if reason else "met" if met else "missed"
            lines.append([f"{job}: {target.words}", figure, verdict])
    return lines


def losses(results: dict) -> list[str]:
    """Every peer that is better than us in something, in words."""
    found = []
    words = {"wall_ms": "wall time", "cpu_ms": "CPU time", "peak_bytes": "peak memory", "bytes": "size of the files"}
    for job, rows in results["jobs"].items():
        ours = _ours(rows)
        if not ours:
            continue
        for row in rows:
            if row is ours:
                continue
            for key, word in words.items():
                if key not in row:
                    continue
                # What would be printed as 1.00 is a tie.
                ratio = f"{_value(row, key) / _value(ours, key):.2f}"
                if float(ratio) < 1:
                    found.append(f"{job}, {word}: {row['name']} needs {ratio} of ours")
            for key, word, slack in (("score", "score", 0.1), ("psnr_db", "PSNR", 0.1), ("ssim", "SSIM", 0.001)):
                if key in row and key in ours and row[key] > ours[key] + slack:
                    found.append(f"{job}, {word}: {row['name']} reaches {row[key]}, ours {ours[key]}")
    return found


def page(results: dict) -> str:
    """The whole page."""
    machine = results["machine"]
    parts = [
        NEVER_BY_HAND,
        "# Benchmarks\n",
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores ({', '.join(machine['simd'])}), "
        f"{machine['memory_bytes'] / 2**30:.0f} GiB, {machine['system']}. Medians of {results['runs']} runs, all "
        f"contenders interleaved in one run, warm, from bytes in memory to encoded files in memory. Load before the run: "
        f"{results['load_before']}. Peak memory is VmHWM of a fresh process that does the job once. The picture is "
        f"`examples/photos/{results['photo']['name']}`, {results['photo']['bytes'] / 1e6:.1f} MB.\n",
        f"Files count as equally good when ours are at most {quality.BYTES_SLACK - 1:.0%} larger, {quality.PSNR_SLACK_DB} dB and "
        f"{quality.SSIM_SLACK} SSIM worse than the peer's, file by file, on luma, against a reference without an encoder; "
        f"those of a faster peer may not be {quality.BYTES_SLACK - 1:.0%} larger either. "
        "PSNR and SSIM in the tables are those of the worst file. Times hold for this machine; ratios travel better. "
        "`make bench` writes this page.\n",
    ]
    if any("score" in row for rows in results["jobs"].values() for row in rows):
        parts.append(SCORES)
    if lines := targets(results):
        parts.append(f"## Targets\n\n{_table(['target', 'measured', ''], lines)}\n")
    for job in JOBS:
        if job in results["jobs"]:
            parts.append(_job(job, results["jobs"][job]))
            if floor := results.get("floors", {}).get(job):
                parts.append(
                    f"Decoding and encoding alone, with our library, one after another and nothing between them: "
                    f"{_value(floor, 'cpu_ms'):.1f} ms of CPU.\n"
                )
    if COLD_START in results["jobs"]:
        parts.append(_cold_start(results["jobs"][COLD_START]))
    if COLD_START in results["jobs"]:
        parts.append(_cost(results))
    if any(_ours(rows) for rows in results["jobs"].values()):
        lost = losses(results)
        parts.append("## Where others are better\n\n" + ("\n".join(f"- {line}" for line in lost) or "Nowhere in this run.") + "\n")
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    parts.append(f"## Versions\n\n{versions}.\n")
    return "\n".join(parts)


def _cost(results: dict) -> str:
    """What a million pictures cost on Lambda, for each job."""
    prices = cost.prices()
    text = (
        "## Cost of a million pictures on AWS Lambda\n\n"
        f"Computed from the figures above and the prices of {prices['date']} ({prices['region']}, "
        f"[bench/lambda_prices.toml](../bench/lambda_prices.toml)): GB-seconds, Lambda's requests, and S3's GET and PUT "
        "requests. The memory size is the cheapest that fits, and of several within one per cent the fastest. It fits "
        "when it holds the job's peak and what a client of S3 adds to it, with a quarter to spare. A function has one "
        f"processor for every {cost.MB_PER_VCPU:,} MB: CPU time is stretched by the share it has, and no job gets "
        "shorter than it was measured. The waiting for S3 is not in it, nor are cold starts, storage and transfer; our "
        "function looks at the source once more than the others and looks for an old report, which are two requests. "
        "The arm64 column is the same work at arm64's prices: it was not measured there.\n"
    )
    for job, rows in ((job, results["jobs"][job]) for job in JOBS if job in results["jobs"]):
        lines = []
        for row in rows:
            found = cost.cheapest(row, results["jobs"][COLD_START], prices, "x86_64")
            arm = cost.cheapest(row, results["jobs"][COLD_START], prices, "arm64")
            lines.append(
                [
                    f"**{row['name']}**" if row["name"] == OURS else row["name"],
                    f"{found.least_mb}",
                    f"{found.memory_mb}",
                    f"{found.milliseconds}",
                    f"{found.gb_seconds:,.0f}",
                    f"{found.compute:.2f}",
                    f"{found.requests:.2f}",
                    f"**{found.total:.2f}**",
                    f"{arm.total:.2f}",
                ]
            )
        header = ["", "fits from MB", "memory MB", "billed ms", "GB-s", "compute $", "requests $", "total $", "arm64 total $"]
        text += f"\n{JOBS[job].title}:\n\n{_table(header, lines)}\n"
    return text


def drawings(results: dict) -> dict[str, str]:
    """The page's plots, by the name of the file below docs/benchmarks."""
    found = {}
    for job in JOBS:
        if rows := results["jobs"].get(job):
            bars = [(row["name"], _value(row, "wall_ms"), row["name"] == OURS) for row in rows]
            found[plots.name(job)] = plots.bars(f"{job}: wall time, ms, lower is better", bars)
    return found


README = ("<!-- bench:begin -->\n", "<!-- bench:end -->")


def summary(results: dict) -> str:
    """The README's table: each job's wall time beside a few peers, the best of those
    whose files are equally good among them. One whose files are not is marked, as on
    the page."""
    lines = []
    for job, rows in ((job, results["jobs"][job]) for job in JOBS if job in results["jobs"]):
        title = JOBS[job].title
        ours = _ours(rows)
        lines.append([title, f"**{ours['wall_ms']['median']:.0f} ms**, {_megabytes(ours['peak_bytes'])} MB", "", ""])
        best = _rival(BEST, ours, rows)
        for row in rows:
            whole = job in SHOWN_WHOLE and not row["name"].startswith("OpenCV")
            if row is ours or not (whole or row is best or row["name"] == "sharp"):
                continue
            ratio = ours["wall_ms"]["median"] / row["wall_ms"]["median"]
            mark = " \\*" if quality.inequality(ours, row) else ""
            lines.append(["", f"{row['name']}{mark}", f"{row['wall_ms']['median']:.0f} ms, {_megabytes(row['peak_bytes'])} MB", f"{ratio:.2f}"])
    cold = results["jobs"][COLD_START]
    ours = _ours(cold)
    lines.append(["Cold start, exec to first request", f"**{_value(ours, 'wall_ms'):.1f} ms**", "", ""])
    for row in cold:
        if row is not ours:
            ratio = _value(ours, "wall_ms") / _value(row, "wall_ms")
            lines.append(["", row["name"], f"{_value(row, 'wall_ms'):.0f} ms", f"{ratio:.3f}"])
    machine = results["machine"]
    note = (
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores, medians of {results['runs']} interleaved runs. "
        "\\* the files are not equally good (quality or bytes differ by more than the page's bounds): see the page."
    )
    return _table(["job", "minilab, or a peer", "the peer's", "ours/theirs"], lines) + "\n\n" + note + "\n"


def with_summary(readme: str, results: dict) -> str:
    """The README with its table replaced."""
    begin, end = README
    before, rest = readme.split(begin)
    return before + begin + summary(results) + end + rest.split(end, 1)[1]
