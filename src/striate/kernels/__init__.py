"""Fast arithmetic: fused operations, each with a plain definition beside it."""
