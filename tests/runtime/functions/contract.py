"""A runtime that asks the Runtime API for what it should and should not do, and writes down each answer.

`TRANSCRIPT` is the file it writes to, one JSON array a line: what was asked, the status, the error's type, and the
headers that a runtime relies on. The fifth event that it is given ends it.
"""

import http.client
import json
import os
import sys
import threading
from pathlib import Path

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
TRANSCRIPT = Path(os.environ["TRANSCRIPT"])
RUNTIME = "/2018-06-01/runtime"
EXTENSION = "/2020-01-01/extension"
RELIED_ON = ["lambda-runtime-aws-request-id", "lambda-runtime-deadline-ms", "lambda-runtime-invoked-function-arn"]
RELIED_ON += ["lambda-extension-identifier", "lambda-extension-event-identifier"]


def ask(what: str, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None):
    connection = http.client.HTTPConnection(API, timeout=30)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    found = answer.read()
    try:
        document = json.loads(found)
    except ValueError:
        document = {}
    error = document.get("errorType") if answer.status >= 400 else None
    fields = sorted(document) if answer.status < 300 and path.startswith(EXTENSION) else []
    kind = answer.getheader("content-type", "") if answer.status < 400 else ""
    present = [name for name in RELIED_ON if answer.getheader(name)]
    with TRANSCRIPT.open("a") as file:
        print(json.dumps([what, answer.status, error, kind, present, fields]), file=file)
    return answer, found


def register(what: str, body: str, name: str | None = "inner"):
    headers = {"Lambda-Extension-Name": name} if name else {}
    return ask(f"register: {what}", "POST", f"{EXTENSION}/register", body, headers)[0]


def start() -> None:
    ask("answer before any event", "POST", f"{RUNTIME}/invocation/unknown/response", "{}")
    ask("unknown path", "GET", f"{RUNTIME}/nonsense")
    ask("wrong method", "POST", f"{RUNTIME}/invocation/next", "{}")
    ask("restore without a snapshot", "GET", f"{RUNTIME}/restore/next")
    register("unknown event", '{"events":["EVERYTHING"]}')
    register("no name", '{"events":["INVOKE"]}', None)
    register("no JSON", "x")
    register("shutdown inside the runtime", '{"events":["SHUTDOWN"]}')
    identifier = register("well formed", '{"events":["INVOKE"]}').getheader("Lambda-Extension-Identifier")
    register("twice", '{"events":["INVOKE"]}')
    path = f"{EXTENSION}/event/next"
    ask("extension without identifier", "GET", path)
    ask("extension with a malformed identifier", "GET", path, None, {"Lambda-Extension-Identifier": "x"})
    unknown = {"Lambda-Extension-Identifier": "00000000-0000-4000-8000-000000000000"}
    ask("extension with an unknown identifier", "GET", path, None, unknown)
    # Its answers come when they come: on a connection of its own, and not in the transcript.
    threading.Thread(target=extension, args=(identifier,), daemon=True).start()


def extension(identifier: str) -> None:
    connection = http.client.HTTPConnection(API)
    while True:
        connection.request("GET", f"{EXTENSION}/event/next", headers={"Lambda-Extension-Identifier": identifier})
        answer = connection.getresponse()
        event = json.loads(answer.read())
        assert event["eventType"] == "INVOKE" and answer.getheader("Lambda-Extension-Event-Identifier"), event


def serve() -> None:
    error = '{"errorMessage":"as asked","errorType":"Asked"}'
    typed = {"Lambda-Runtime-Function-Error-Type": "Header.Type"}
    for number in range(1, 6):
        answer, _ = ask("next", "GET", f"{RUNTIME}/invocation/next")
        invocation = f"{RUNTIME}/invocation/{answer.getheader('Lambda-Runtime-Aws-Request-Id')}"
        match number:
            case 1:
                ask("answer to another event", "POST", f"{RUNTIME}/invocation/unknown/response", "{}")
                ask("error of another event", "POST", f"{RUNTIME}/invocation/unknown/error", "{}")
                ask("answer", "POST", f"{invocation}/response", '{"fine":1}')
                ask("second answer", "POST", f"{invocation}/response", "{}")
                ask("error after the answer", "POST", f"{invocation}/error", "{}")
                ask("late init error", "POST", f"{RUNTIME}/init/error", "{}")
            case 2:
                ask("error", "POST", f"{invocation}/error", error, typed)
            case 3:
                ask("error without its header", "POST", f"{invocation}/error", error)
            case 4:
                ask("answer that is too large", "POST", f"{invocation}/response", "1" * (6 * 1024 * 1024 + 101))
            case 5:
                sys.exit(3)


start()
serve()
