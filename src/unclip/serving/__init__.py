"""`unclip serve`: finished models behind the OpenAI Images API (docs/serve.md)."""
