"""A participant without any SDK: Python's standard library and SQLite. It keeps its own ledger, so that a repeated request answers
the same, a late one after its reversal is refused, and a reversal of something that never ran does nothing."""

import json
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

database = sqlite3.connect(sys.argv[2], isolation_level=None)
database.executescript(
    """
    create table if not exists stock (sku text primary key, quantity integer not null check (quantity >= 0));
    create table if not exists ledger (branch text primary key, state text not null);
    insert into stock values ('apple', 10) on conflict do nothing;
    """
)


def take(branch, order, sign):
    """One database transaction: what the ledger says decides, and the ledger remembers what was done."""
    state = database.execute("select state from ledger where branch = ?", [branch]).fetchone()
    if sign < 0 and state is not None:
        return (200, {"taken": order["quantity"]}) if state[0] == "taken" else (409, {"code": "closed"})
    if sign > 0 and (state is None or state[0] == "returned"):
        database.execute("insert into ledger values (?, 'returned') on conflict do nothing", [branch])
        return 200, {}
    left = database.execute(
        "update stock set quantity = quantity + ? where sku = ? and quantity + ? >= 0 returning quantity",
        [sign * order["quantity"], order["sku"], sign * order["quantity"]],
    ).fetchone()
    # A refusal is remembered: a copy of this request that comes later must be refused as well.
    done = "returned" if sign > 0 or left is None else "taken"
    database.execute("insert into ledger values (?, ?) on conflict (branch) do update set state = excluded.state", [branch, done])
    return (409, {"code": "out-of-stock"}) if left is None else (200, {"left": left[0]})


class Participant(BaseHTTPRequestHandler):
    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        # What makes no sense is refused before anything is written.
        if type(order.get("quantity")) is not int or order["quantity"] < 1 or type(order.get("sku")) is not str:
            return self.answer(409, {"code": "invalid-input"})
        branch = self.headers["lockstep-transaction"] + "/" + self.headers["lockstep-branch"]
        database.execute("begin immediate")
        status, answer = take(branch, order, -1 if self.path == "/take" else 1)
        database.execute("commit")
        self.answer(status, answer)

    def answer(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Participant).serve_forever()
