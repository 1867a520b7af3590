"""The paths, on Litestar: bytes in, bytes out. Who may ask is decided before, in `gate`."""

from __future__ import annotations

import logging
from typing import Any, cast

from litestar import Litestar, Request, Response, get, post

from slopn_helper.gateway.api import description
from slopn_helper.gateway.api.enrolling import Enrolling
from slopn_helper.gateway.api.gate import Blame
from slopn_helper.gateway.api.messages import Ask, read
from slopn_helper.gateway.api.problems import FAILED, Answer, Refused
from slopn_wire.codec import decoder, encode
from slopn_wire.enrolment_api import CHALLENGE, ENROL, RENEW, ROTATE, Enrol, Renew, Rotate

_log = logging.getLogger(__name__)
_ask, _enrol, _renew, _rotate = decoder(Ask), decoder(Enrol), decoder(Renew), decoder(Rotate)
_DESCRIPTION = encode(description.document())

Asked = Request[Any, Any, Any]


def application(enrolling: Enrolling, blame: Blame) -> Litestar:
    """The API. `blame` hears of each refusal."""

    @post(CHALLENGE, status_code=200)
    async def challenge(request: Asked) -> Response[bytes]:
        read(await request.body(), _ask)
        return _json(encode(enrolling.challenge()))

    @post(ENROL, status_code=200)
    async def enrol(request: Asked) -> Response[bytes]:
        return _json(encode(await enrolling.enrol(read(await request.body(), _enrol))))

    @post(RENEW, status_code=200)
    async def renew(request: Asked) -> Response[bytes]:
        return _json(encode(await enrolling.renew(read(await request.body(), _renew))))

    @post(ROTATE, status_code=200)
    async def rotate(request: Asked) -> Response[bytes]:
        return _json(encode(await enrolling.rotate(read(await request.body(), _rotate))))

    @get(description.PATH)
    async def openapi(request: Asked) -> Response[bytes]:
        del request
        return _json(_DESCRIPTION)

    def refused(request: Asked, error: Exception) -> Response[bytes]:
        if isinstance(error, Refused):
            blame(cast("tuple[str, int]", request.scope["client"]), error)
            return _response(error.answer())
        # Its text is ours: no library that is called here repeats what it was given.
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _response(FAILED)

    return Litestar(
        [challenge, enrol, renew, rotate, openapi],
        exception_handlers={Exception: refused},
        openapi_config=None,  # it doesn't know the wire's types; `description` says what they are
        logging_config=None,
        debug=False,
    )


def _json(body: bytes) -> Response[bytes]:
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})


def _response(answer: Answer) -> Response[bytes]:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, status_code=answer.status, media_type="application/json", headers=headers)
