"""Uploads from many clients at once: none fails, and each is printed."""

from pathlib import Path

from uploads import measure


def test_five_hundred_uploads_from_32_clients_are_all_printed(minilab: Path, tmp_path: Path):
    figures = measure(minilab, uploads=500, clients=32, folder=tmp_path)
    assert (figures["errors"], figures["missing_prints"], figures["failed_events"]) == (0, 0, 0), figures
    # Memory is bounded by what is under way, not by how much has gone through.
    assert figures["memory_mb"]["last"] < figures["memory_mb"]["first_tenth"] + 100, figures
