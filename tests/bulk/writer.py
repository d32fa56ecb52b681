"""Write every site's file: ``python -m tests.bulk.writer URL DIR`` (it says when it begins)."""

import os
import sys
from pathlib import Path

from aipolicy.bulk import generator
from aipolicy.bulk.host_folder import Folder
from aipolicy.registry import Registry

generator._CHECKPOINT = 200

if __name__ == "__main__":
    with Registry(sys.argv[1], create=False) as registry, Folder(Path(sys.argv[2])) as folder:
        writer = generator.Writer(registry, folder)
        os.write(1, b"ready\n")
        writer.run()
