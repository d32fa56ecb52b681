"""Write every site's file: ``python -m tests.bulk.writer URL DIR`` (it prints a line when it begins)."""

import os
import sys
from pathlib import Path

from aipolicy.bulk import generator
from aipolicy.bulk.host_folder import HostFolder
from aipolicy.registry import Registry

generator._CHECKPOINT = 200

if __name__ == "__main__":
    with Registry(sys.argv[1], create=False) as registry, HostFolder(Path(sys.argv[2])) as folder:
        writer = generator.Generator(registry, folder)
        os.write(1, b"ready\n")
        writer.run()
