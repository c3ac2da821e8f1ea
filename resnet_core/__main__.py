"""``python -m resnet_core``: the command line. See ``resnet_core.cli``."""

import sys

from resnet_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
