"""The server's side of HTTP: the OpenAI Images API, and what is asked beside it."""
