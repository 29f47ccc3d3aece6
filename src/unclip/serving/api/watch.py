"""What the page shows of runs while they train: /watch/runs, and their images and reports."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.responses import FileResponse

from unclip.serving.api.errors import APIError
from unclip.serving.watched import Watched

OF_A_REPORT = {"Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"}
"""A report is one page with its images inside; it runs nothing."""


def routes(runs: Watched) -> APIRouter:
    """The routes; they want the key, where there is one."""
    router = APIRouter(prefix="/watch/runs", include_in_schema=False)

    @router.get("")
    def names() -> list[str]:
        return runs.names

    @router.get("/{name}")
    def status(name: str) -> dict[str, Any]:
        try:
            found = runs.status(name)
        except (ValueError, OSError) as error:  # it names a path of the server's
            raise APIError(503, f"the run {name} cannot be read; the server's log says why") from error
        if found is None:
            raise APIError(404, "no such run is watched; --watch RUN adds one", code="not_found")
        return found

    @router.get("/{name}/images/{file}")
    def image(name: str, file: str) -> FileResponse:
        return FileResponse(_there(runs.image(name, file)), media_type="image/png")

    @router.get("/{name}/reports/{split}")
    def report(name: str, split: str) -> FileResponse:
        return FileResponse(_there(runs.report(name, split)), media_type="text/html", headers=OF_A_REPORT)

    return router


def _there(path: Path | None) -> Path:
    if path is None:
        raise APIError(404, "no such file", code="not_found")
    return path
