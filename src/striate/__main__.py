"""`python -m striate`."""

import sys

from striate.apps.cli import main

if __name__ == "__main__":
    sys.exit(main())
