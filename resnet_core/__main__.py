"""``python -m resnet_core``, and ``resnet-lab`` where the package is installed: the command line. See ``resnet_core.cli``."""

import sys

from resnet_core import system


def main() -> int:
    """Run the command line on a system that it can run on. Returns the exit status."""
    if problem := system.problem():
        print(f"resnet-lab: error: {problem}", file=sys.stderr)
        return 2
    from resnet_core import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
