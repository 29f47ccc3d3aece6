"""Pictures with captions: find them, check them, prepare them once, and hand them out in batches."""
