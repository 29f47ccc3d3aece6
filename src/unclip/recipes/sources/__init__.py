"""Where the images of a run come from: prepared ones, or shards that are streamed."""
