"""Acme, played over HTTP on 127.0.0.1 with a ledger of its own.

A fake is worth as much as its rules: this one checks the key, the decimals of amounts and the
states, keeps what it was told once under its name, and breaks when it is told to. Write yours from
the provider's documentation, never from your adapter.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from checkstand.testing.peer import Fault

SECRET_KEY = "sk_test_4242acme"  # noqa: S105
WEBHOOK_SECRET = "wh_acme_secret"  # noqa: S105
DECIMALS = {"USD": 2, "EUR": 2, "JPY": 0}
"""Currencies that Acme takes."""
OUTCOMES = {
    "tok_good": ("captured", ""),
    "tok_bad": ("declined", "do_not_honour"),
    "tok_poor": ("declined", "insufficient_funds"),
    "tok_3ds": ("waiting", ""),
}
Reply = tuple[int, dict[str, Any]]


class FakeAcme:
    def __init__(self) -> None:
        self.payments: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.fault: Fault | None = None
        self.status: int | None = None
        self.url = ""
        self.stopped = threading.Event()
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Reply | None:
        """None: nobody will ever answer."""
        if self.status is not None:
            return self.status, {}
        moves_money = method != "GET" and not path.startswith("/sessions")
        with self._lock:
            fault, self.fault = (self.fault, None) if moves_money else (None, self.fault)
            if fault is Fault.LOST:
                return None
            if fault is Fault.ERROR_BEFORE:
                return 500, {}
            reply = self._handle(method, path.strip("/").split("/"), body)
            if fault is Fault.TWICE:
                reply = self._handle(method, path.strip("/").split("/"), body)
        if fault is Fault.TIMEOUT_AFTER:
            return None
        return (500, {}) if fault is Fault.ERROR_AFTER else reply

    def _handle(self, method: str, path: list[str], body: dict[str, Any]) -> Reply:
        match method, path:
            case "PUT", ["sessions", key]:
                return self._open_session(key, body)
            case "GET", ["sessions", name]:
                found = self.sessions.get(name)
                return (200, found) if found else (404, {"code": "not_found"})
            case "GET", ["payments", name]:
                found = self.payments.get(name)
                return (200, found) if found else (404, {"code": "not_found"})
            case "PUT", ["payments", name]:
                return self._pay(name, body)
            case "POST", ["payments", name, "cancel"]:
                return self._cancel(name)
            case "POST", ["payments", name, "capture"]:
                return self._capture(name, body)
            case "PUT", ["payments", name, "refunds", refund]:
                return self._refund(name, refund, body)
        return 404, {"code": "no_such_route"}

    def _open_session(self, key: str, body: dict[str, Any]) -> Reply:
        if not (_minor(body) and body.get("binding")):
            return 422, {"code": "bad_session"}
        name = "ses_" + hashlib.sha256(key.encode()).hexdigest()[:16]
        session = {"id": name, "paid": False, **body}
        return 200, self.sessions.setdefault(name, session)

    def _pay(self, name: str, body: dict[str, Any]) -> Reply:
        if name in self.payments:
            return 200, self.payments[name]
        minor = _minor(body)
        if minor is None:
            return 422, {"code": "amount_or_currency_not_taken"}
        if "session" in body:
            session = self.sessions.get(body["session"])
            if session is None or not session["paid"] or session["amount"] != body["amount"]:
                return 422, {"code": "session_not_paid"}
            status, code = "captured", ""
        else:
            status, code = OUTCOMES.get(body.get("token", ""), ("declined", "unknown_token"))
        if status == "captured" and not body["capture"]:
            status = "authorised"
        self.payments[name] = {
            "id": f"pay_{hashlib.sha256(name.encode()).hexdigest()[:12]}",
            "status": status,
            "code": code,
            "page": f"{self.url}/3ds/{name}",
            "currency": body["currency"],
            "minor": minor,
            "captured": minor if status == "captured" else 0,
            "capture": body["capture"],
            "refunds": {},
        }
        return 200, self.payments[name]

    def _cancel(self, name: str) -> Reply:
        """A payment that was not there is cancelled as well: Acme keeps its name."""
        cancelled = {"id": f"pay_{name}", "status": "cancelled", "captured": 0, "refunds": {}}
        payment = self.payments.setdefault(name, cancelled)
        if payment["status"] in ("waiting", "authorised"):
            payment["status"] = "cancelled"
        return 200, payment

    def _capture(self, name: str, body: dict[str, Any]) -> Reply:
        payment, minor = self.payments.get(name), _minor(body)
        if payment is None or minor is None:
            return 404, {"code": "not_found"}
        if payment["status"] == "captured" and payment["captured"] == minor:
            return 200, payment
        if payment["status"] == "captured":
            return 409, {"code": "already_captured"}
        if payment["status"] != "authorised" or minor > payment["minor"]:
            return 409, {"code": "not_authorised_for_that"}
        payment |= {"status": "captured", "captured": minor}
        return 200, payment

    def _refund(self, name: str, refund: str, body: dict[str, Any]) -> Reply:
        payment, minor = self.payments.get(name), _minor(body)
        if payment is None or minor is None:
            return 404, {"code": "not_found"}
        refunds = payment["refunds"]
        if refund not in refunds:
            if minor > payment["captured"] - sum(refunds.values()):
                return 409, {"code": "more_than_captured"}
            refunds[refund] = minor
        return 200, {"id": refund}

    def press(self, name: str, *, agree: bool) -> None:
        """The shopper on Acme's 3-D Secure page."""
        payment = self.payments[name]
        if payment["status"] == "waiting":
            taken = "captured" if payment["capture"] else "authorised"
            payment["status"] = taken if agree else "declined"
            payment["code"] = "" if agree else "authentication_failed"
            payment["captured"] = payment["minor"] if payment["status"] == "captured" else 0


def _minor(body: dict[str, Any]) -> int | None:
    """Acme wants exactly the currency's decimals; None for anything else."""
    decimals = DECIMALS.get(body.get("currency", ""))
    whole, _, fraction = str(body.get("amount", "")).partition(".")
    if decimals is None or not (whole + fraction).isdigit() or len(fraction) != decimals:
        return None
    return int(whole + fraction) or None


@contextmanager
def fake_acme() -> Iterator[FakeAcme]:
    """Acme on a free port of this machine, until the block ends."""
    acme = FakeAcme()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65_536  # head and body in one packet

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            if self.headers.get("Authorization") != f"Bearer {SECRET_KEY}":
                reply: Reply | None = (401, {"code": "unauthorised"})
            else:
                reply = acme.answer(self.command, self.path, body or {})
            if reply is None:
                acme.stopped.wait(10)
                self.close_connection = True
                return
            raw = json.dumps(reply[1]).encode()
            self.send_response(reply[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_PUT = do_POST = _do  # noqa: N815

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    acme.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield acme
    finally:
        acme.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


def now() -> int:
    return int(time.time())
