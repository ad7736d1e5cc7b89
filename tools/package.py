"""Zips the Lambda function: dist/bootstrap.zip with the one file `bootstrap`.

Refuses a binary that needs a newer glibc than Lambda's provided.al2023 has,
and writes the same bytes for the same binary. Usage: package.py BINARY ZIP
"""

import os
import re
import sys
import zipfile

# The glibc of Amazon Linux 2023, which provided.al2023 is made of.
NEWEST = (2, 34)


def glibc_versions(binary: bytes) -> set[tuple[int, ...]]:
    """Versions in the dynamic string table. They stand there as plain text;
    reading the section headers would find the same and refuse stripped files."""
    return {
        tuple(int(part) for part in match.split(b"."))
        for match in re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", binary)
    }


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
        print(
            f"{source} needs GLIBC_{'.'.join(map(str, newest))}, Lambda's provided.al2023 has "
            f"{'.'.join(map(str, NEWEST))}: build on an older system, or with cargo-zigbuild",
            file=sys.stderr,
        )
        return 1
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        # A fixed date and mode: the same binary gives the same zip.
        entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o100755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, binary, compresslevel=9)
    size = os.path.getsize(target)
    print(
        f"{target}: {size / 1e6:.2f} MB zipped, {len(binary) / 1e6:.2f} MB unzipped, "
        f"needs glibc {'.'.join(map(str, newest))} or newer"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
