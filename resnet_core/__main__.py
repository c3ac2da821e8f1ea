"""``python -m resnet_core``: the command line. See ``resnet_core.cli``."""

import sys

from resnet_core import system

if __name__ == "__main__":
    if problem := system.problem():
        print(f"resnet-lab: error: {problem}", file=sys.stderr)
        sys.exit(2)
    from resnet_core.cli import main

    sys.exit(main())
