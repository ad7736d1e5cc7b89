"""Zips the Lambda function: dist/bootstrap.zip with the one file `bootstrap`.

Refuses a binary that needs a newer glibc than Lambda's provided.al2023 has, or
that does not start here as it would there, and writes the same bytes for the
same binary. Usage: package.py BINARY ZIP
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

# libdeflate at its best level: about 3 % smaller than zlib's, in seconds. Zopfli
# gains a thousandth more and takes minutes.
import deflate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
import cold_start  # noqa: E402  (bench/ is no package)

# The glibc of Amazon Linux 2023, which provided.al2023 is made of.
NEWEST = (2, 34)
LEVEL = 12
NAME = b"bootstrap"
# 1 January 1980, the first day that a zip can name, and a program for all to run.
DATE, MODE, UNIX, VERSION, DEFLATED = 0x0021, 0o100755, 3, 20, 8


def glibc_versions(binary: bytes) -> set[tuple[int, ...]]:
    """Versions in the dynamic string table. They stand there as plain text;
    reading the section headers would find the same and refuse stripped files."""
    return {
        tuple(int(part) for part in match.split(b"."))
        for match in re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", binary)
    }


def symbols_of(source: str, version: str) -> str:
    """The functions that ask for a version, where readelf can tell."""
    readelf = shutil.which("readelf")
    if not readelf:
        return "unknown functions"
    listed = subprocess.run((readelf, "--dyn-syms", "--wide", source), capture_output=True, text=True).stdout
    return ", ".join(sorted(set(re.findall(rf"(\S+)@GLIBC_{re.escape(version)}\b", listed)))) or "unknown functions"


def zipped(binary: bytes) -> bytes:
    """A zip with the one file. Written here because zipfile takes no data that is compressed already.
    Layout: APPNOTE.TXT 4.3, local header, data, central directory, end."""
    data = bytes(deflate.deflate_compress(binary, LEVEL))
    common = struct.pack("<HHHHIIIHH", 0, DEFLATED, 0, DATE, zlib.crc32(binary), len(data), len(binary), len(NAME), 0)
    local = struct.pack("<4sH", b"PK\3\4", VERSION) + common + NAME + data
    central = struct.pack("<4sBBH", b"PK\1\2", VERSION, UNIX, VERSION) + common
    central += struct.pack("<HHHII", 0, 0, 0, MODE << 16, 0) + NAME
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def start(archive: str) -> dict[str, float]:
    """Unpacks the zip as Lambda does and waits until the function asks for work. Raises when it does not."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as packed:
            if damaged := packed.testzip():
                raise RuntimeError(f"{damaged} is damaged in {archive}")
            mode = packed.getinfo("bootstrap").external_attr >> 16
            path = packed.extract("bootstrap", folder)
        os.chmod(path, mode)
        cold_start.once((path,))  # from now on in the page cache
        return cold_start.once((path,))


def main() -> int:
    source, target = sys.argv[1:]
    with open(source, "rb") as file:
        binary = file.read()
    if binary[:4] != b"\x7fELF":
        print(f"{source} is no Linux program", file=sys.stderr)
        return 1
    versions = glibc_versions(binary)
    if not versions:
        print(f"{source} names no glibc version: is it linked statically?", file=sys.stderr)
        return 1
    newest = max(versions)
    if newest > NEWEST:
        version = ".".join(map(str, newest))
        print(
            f"{source} needs GLIBC_{version} for {symbols_of(source, version)}; Lambda's provided.al2023 has "
            f"{'.'.join(map(str, NEWEST))}: bind them to an older version in crates/lambda/src/glibc.c, "
            "or build on an older system",
            file=sys.stderr,
        )
        return 1
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    with open(target, "wb") as file:
        file.write(zipped(binary))
    try:
        started = start(target)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        print(f"{target} does not start: {error}", file=sys.stderr)
        return 1
    size = os.path.getsize(target)
    print(
        f"{target}: {size / 1e6:.2f} MB zipped, {len(binary) / 1e6:.2f} MB unzipped, "
        f"needs glibc {'.'.join(map(str, newest))} or newer; starts in {started['wall_ms']:.1f} ms here"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
