"""`python -m services.insight.files TABLE FORMAT PATH`: writes one file at low priority, from lines on standard input.

The first line is what is told of the file, each further one a page of rows, all as JSON."""

import sys
from pathlib import Path

import msgspec

from banyan.runtime.host import apart
from services.insight.domain.export_tables import TABLES, About
from services.insight.files.write import write


def main(table: str, format: str, path: str) -> None:
    """Reads all of standard input; an error ends the process with its trace."""
    apart.begin()
    about = msgspec.json.decode(sys.stdin.buffer.readline(), type=About)
    pages = (msgspec.json.decode(line) for line in sys.stdin.buffer)
    write(format, TABLES[table], about, pages, Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
