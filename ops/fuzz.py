"""What the fuzzer has to know about Postbook. Loaded by schemathesis; `ops/fuzz` sets the environment."""

import itertools
import os
import subprocess

import requests
import schemathesis

URL = os.environ["FUZZ_URL"]
POSTBOOK = os.environ["FUZZ_POSTBOOK"].split()
NUMBERS = itertools.count(1)


@schemathesis.auth(refresh_interval=None, retry_on=[401, 403])
class Administrator:
    """A token of an administrator, and of another one as soon as the fuzzer has shut that one out.

    Commands on this machine need no token, so however many users it disables and tokens it revokes, there is a way in.
    """

    token = None

    def get(self, case, context):
        if Administrator.token is None or not accepted(Administrator.token):
            Administrator.token = fresh()
        return Administrator.token

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


def accepted(token):
    """Whether `token` still opens what only administrators may see."""
    answer = requests.get(f"{URL}/api/v1/audit", params={"limit": 1}, headers=bearer(token), timeout=30)
    return answer.status_code == 200


def fresh():
    name = f"fuzz-admin-{os.getpid()}-{next(NUMBERS)}"
    postbook("user", "add", name, "--role", "admin")
    return postbook("token", "new", name, "--title", "fuzz").strip()


def postbook(*words):
    return subprocess.run([*POSTBOOK, *words], check=True, capture_output=True, text=True).stdout


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


@schemathesis.hook
def before_call(context, case, **kwargs):
    """The events of a run that is held or paused never end, so it is cancelled before they are asked for."""
    run = (case.path_parameters or {}).get("run")
    if case.operation.definition.raw.get("operationId") == "watch_run" and Administrator.token:
        try:
            path = case.operation.base_url + case.formatted_path.replace("/events", "/cancel")
            requests.post(path, headers=bearer(Administrator.token), timeout=30)
        except (requests.RequestException, UnicodeError, ValueError):
            # What is no address for this is none for the request that follows either.
            assert run is not None
