"""Tar shards that are trained on as they lie: found by their headers, decoded just before they are needed."""
