"""Unpacks the function's zip as Lambda does and starts it with the recipe in it, until it asks for work.
Usage: start.py ZIP"""

import os
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
import cold_start  # noqa: E402  (bench/ is no package)


def main() -> int:
    (archive,) = sys.argv[1:]
    try:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as packed:
            if damaged := packed.testzip():
                raise RuntimeError(f"{damaged} is damaged")
            for entry in packed.infolist():
                os.chmod(packed.extract(entry, folder), entry.external_attr >> 16)
            program = os.path.join(folder, "bootstrap")
            cold_start.once((program,), folder)  # from now on in the page cache
            started = cold_start.once((program,), folder)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        print(f"{archive} does not start: {error}", file=sys.stderr)
        return 1
    print(f"  start    {started['wall_ms']:.1f} ms here, until it asks for work")
    return 0


if __name__ == "__main__":
    sys.exit(main())
