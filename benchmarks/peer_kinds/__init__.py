"""What benchmarks/peers.py compares: a module for each peer; how all are trained, drawn by and scored."""
