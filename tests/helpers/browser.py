"""A real browser that is told what to do over a pair of pipes, so that keys are keys."""

import json
import os
import shutil
import subprocess

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update")  # fmt: skip
KEYS = {"Tab": 9, "Enter": 13, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}
PIPES = 'exec 3<&{} 4>&{}; exec "$@"'  # on which the browser listens and answers


class Page:
    """A page of a browser of its own; what went wrong on it stands in `complaints`."""

    def __init__(self, folder):
        ours, theirs = os.pipe(), os.pipe()
        command = [CHROMIUM, *FLAGS, "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"]
        self._process = subprocess.Popen(["bash", "-c", PIPES.format(ours[0], theirs[1]), "browser", *command],
                                         pass_fds=(ours[0], theirs[1]), stderr=subprocess.DEVNULL)  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self._write, self._read = os.fdopen(ours[1], "wb", 0), os.fdopen(theirs[0], "rb")
        self._session, self._number, self.complaints = None, 0, []

    def __enter__(self):
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.wait()
        self._write.close()
        self._read.close()

    def send(self, method, **params):
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        self._write.write(
            json.dumps({"id": self._number, "method": method, "params": params, **session}).encode() + b"\0"
        )
        while (said := self._message()).get("id") != self._number:
            if said.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(said["params"])
        return said["result"]

    def _message(self):
        parts = []
        while (part := self._read.read(1)) not in (b"\0", b""):
            parts.append(part)
        return json.loads(b"".join(parts))

    def open(self, path, ready):
        """Open a file, and wait until an expression is true."""
        self.send("Page.navigate", url=path.as_uri())
        self.value(f"new Promise(done => {{ const wait = () => {ready} ? done() : setTimeout(wait, 20); wait(); }})")

    def value(self, expression):
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)[
            "result"
        ].get("value")

    def press(self, key):
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key], **text)
