"""Names that are imported when they are first used, and packages that may not be there."""
