#!/usr/bin/env python3
"""An external extension: registers, and appends each event that it gets to the file `SEEN`."""

import http.client
import json
import os
from pathlib import Path


def main() -> None:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    body = json.dumps({"events": ["INVOKE", "SHUTDOWN"]})
    api.request("POST", "/2020-01-01/extension/register", body, {"Lambda-Extension-Name": "watcher.py"})
    answer = api.getresponse()
    answer.read()
    identifier = answer.getheader("Lambda-Extension-Identifier")
    with Path(os.environ["SEEN"]).open("a") as seen:
        while True:
            headers = {"Lambda-Extension-Identifier": identifier}
            api.request("GET", "/2020-01-01/extension/event/next", headers=headers)
            event = json.loads(api.getresponse().read())
            print(json.dumps(event), file=seen, flush=True)
            if event["eventType"] == "SHUTDOWN":
                return


main()
