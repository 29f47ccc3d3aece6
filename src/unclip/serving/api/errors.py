"""Every error as OpenAI's clients read them: {"error": {"message", "type", "param", "code"}}."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from unclip.core.shown import printable

TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class APIError(Exception):
    """An answer that is an error."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None, wait: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.wait = status, message, param, code, wait

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        kind = TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """With `Retry-After` where it makes sense to ask again, `WWW-Authenticate` where a key is missing."""
        again = {} if self.wait is None else {"Retry-After": str(self.wait)}
        return {**again, **({"WWW-Authenticate": "Bearer"} if self.status == 401 else {})}

    @property
    def response(self) -> JSONResponse:
        """As an answer."""
        return JSONResponse(self.body, self.status, self.headers)


def mistake() -> APIError:
    """What is answered where the server itself is at fault."""
    return APIError(500, "the server made a mistake; its log says more")


def of_validation(error: RequestValidationError | ValidationError) -> APIError:
    """The first thing that is wrong with a body."""
    found: Sequence[Mapping[str, Any]] = error.errors()
    first = found[0]
    where = [str(part) for part in first.get("loc", ()) if part != "body"]
    param = where[0] if where and not where[0].isdigit() else None
    told = str(first.get("msg", "not valid")).removeprefix("Value error, ")
    given = first.get("input")
    shown = f" (given: {printable(str(given), 60)})" if isinstance(given, str | int | float) and param else ""
    return APIError(400, f"{param}: {told}{shown}" if param else f"the body: {told}", param, "invalid_value")


def install(app: FastAPI) -> None:
    """Answers every error of the app in this shape."""

    @app.exception_handler(APIError)
    async def known(request: Request, error: APIError) -> JSONResponse:
        return error.response

    @app.exception_handler(ValidationError)  # of a form, or of what a body was turned into
    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError | ValidationError) -> JSONResponse:
        return of_validation(error).response

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code)
        told = APIError(
            error.status_code, f"{request.method} {printable(request.url.path, 200)}: {error.detail}", code=code
        )
        return JSONResponse(told.body, error.status_code, dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return mistake().response
