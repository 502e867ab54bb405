"""What everything stands on: argument checks, shape arithmetic, safe files. Standard library only."""
