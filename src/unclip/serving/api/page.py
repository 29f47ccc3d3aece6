"""GET /: the page, and its files. They are read once; nothing else of the disk can be asked for."""

from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

from unclip.serving.api.errors import APIError

FOLDER = Path(__file__).resolve().parents[1] / "page"
INDEX = "index.html"
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
"""Suffix -> media type, whatever the machine's own table says: a module of another type is not run."""
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "form-action": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
"""What the page may load: its own files, and images that it holds itself."""
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def routes() -> APIRouter:
    """The routes of the page. They go after `/page/about.json`, which is none of its files."""
    router, files = APIRouter(), read(FOLDER)

    @router.get("/", include_in_schema=False)
    async def index() -> Response:
        return files[INDEX]

    @router.get("/page/{name}", include_in_schema=False)
    async def file(name: str) -> Response:
        if name not in files:
            raise APIError(404, "the page has no such file", code="not_found")
        return files[name]

    return router


def read(folder: Path) -> Mapping[str, Response]:
    """Name -> the answer, of each file that has a media type."""
    return {path.name: answer(path) for path in sorted(folder.iterdir()) if path.suffix in KINDS}


def answer(path: Path) -> Response:
    """A file, as it is sent."""
    return Response(path.read_bytes(), media_type=KINDS[path.suffix], headers=HEADERS)
