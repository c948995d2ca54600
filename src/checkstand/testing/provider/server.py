"""How the provider is asked. Faults are asked for by the header `x-fault` of the request itself,
so that they meet nobody else's."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from checkstand.testing.peer import Fault
from checkstand.testing.provider.ledger import Ledger, Payment, Refused

FAULT_HEADER = "x-fault"


class Desk:
    """One ledger, and what can be asked of it: `POST /<what>` with a JSON object."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self._asked: dict[str, Callable[[dict[str, Any]], Payment]] = {
            "pay": self.pay,
            "prepare": self.prepare,
            "find": self.find,
            "close": self.close,
            "refund": self.refund,
            "decide": self.decide,
            "force": self.force,
        }

    def pay(self, said: dict[str, Any]) -> Payment:
        if said["reference"]:
            return self.ledger.pay_prepared(
                said["id"], said["reference"], said["amount"], said["currency"], said["binding"]
            )
        again = said.get("again", False)
        return self.ledger.pay(
            said["id"], said["token"], said["amount"], said["currency"], again=again
        )

    def prepare(self, said: dict[str, Any]) -> Payment:
        return self.ledger.prepare(said["amount"], said["currency"], said["binding"])

    def find(self, said: dict[str, Any]) -> Payment:
        return self.ledger.find(said["name"])

    def close(self, said: dict[str, Any]) -> Payment:
        return self.ledger.close(said["id"], said["reference"])

    def refund(self, said: dict[str, Any]) -> Payment:
        return self.ledger.refund(said["name"], said["refund_id"], said["amount"])

    def decide(self, said: dict[str, Any]) -> Payment:
        return self.ledger.decide(said["reference"], agree=said["agree"])

    def force(self, said: dict[str, Any]) -> Payment:
        return self.ledger.force(said["id"])

    async def answer(self, request: Request) -> JSONResponse:
        asked_for = request.headers.get(FAULT_HEADER)
        fault = Fault(asked_for) if asked_for else None
        try:
            said = await request.json()
        except ClientDisconnect:  # killed while it was speaking: nothing was said
            return JSONResponse({}, 400)
        if fault is Fault.ERROR_BEFORE:
            return JSONResponse({"code": "internal"}, 500)
        if fault is Fault.LOST:
            return await _silence(request)
        answer = self._answer(request.path_params["what"], said)
        if fault is Fault.TWICE:
            answer = self._answer(request.path_params["what"], said)
        if fault is Fault.TIMEOUT_AFTER:
            return await _silence(request)
        if fault is Fault.ERROR_AFTER:
            return JSONResponse({"code": "internal"}, 500)
        return answer

    def _answer(self, what: str, said: dict[str, Any]) -> JSONResponse:
        try:
            return JSONResponse(self._asked[what](said).as_json())
        except Refused as refused:
            return JSONResponse({"code": str(refused)}, 402)


async def _silence(request: Request) -> JSONResponse:
    """Until the other side has given up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return JSONResponse({}, 500)


class _Transport:
    """Sends head and body of an answer together: else it arrives in one piece or in two, and the
    interleavings would not be the same twice."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._kept:
            asyncio.get_running_loop().call_soon(self._flush)
        self._kept.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        kept, self._kept = b"".join(self._kept), []
        if kept and not self._transport.is_closing():
            self._transport.write(kept)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(HttpToolsProtocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(_Transport(transport))  # type: ignore[arg-type]


def main(listener: int) -> None:
    """Serves on an inherited socket until SIGTERM, or until whoever started it is gone."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    desk = Desk()
    routes = [Route("/{what}", desk.answer, methods=["POST"])]
    app = Starlette(routes=routes)
    config = uvicorn.Config(app, http=_Protocol, log_level="warning", lifespan="off")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=listener)])


def _end_with_parent() -> None:
    """It holds the other end of our stdin."""
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
