"""``aipolicy import`` in small batches: ``python -m tests.bulk.importer ARGUMENTS``.

It prints a line for each stored batch.
"""

import os
import sys
from typing import Any

from aipolicy.bulk import importer
from aipolicy.cli import main
from aipolicy.registry.bulk_load import BulkLoader

BATCH = 200

_put = BulkLoader.put


def put(self: BulkLoader, puts: Any, **others: Any) -> None:
    _put(self, puts, **others)
    os.write(1, b"stored\n")


if __name__ == "__main__":
    importer.BATCH = BATCH
    BulkLoader.put = put  # type: ignore[method-assign]
    sys.argv[1:1] = ["import"]
    main()
