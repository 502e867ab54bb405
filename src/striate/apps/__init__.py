"""What users run: the command line, run folders, reports."""
