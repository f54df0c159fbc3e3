"""Chromium without a window, spoken to over a pipe: what tests of pages need of a browser, and nothing to install beside it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
AXE = next(
    (
        path
        for path in (Path(os.environ.get("AXE_CORE", "")), Path(sys.prefix, "npm", "node_modules", "axe-core", "axe.min.js"))
        if path.is_file()
    ),
    None,
)
"""axe-core's script: ``npm install --prefix ENVIRONMENT/npm axe-core``, or where ``AXE_CORE`` says."""

_TROUBLE = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")


class Browser:
    """One page in one browser.

    Args:
        folder: for what the browser keeps.
    """

    def __init__(self, folder):
        commands, ours = os.pipe()
        theirs, answers = os.pipe()
        # Chromium reads commands from the third file and answers in the fourth.
        starter = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
        self._process = subprocess.Popen(
            ["bash", "-c", starter, "bash", str(commands), str(answers), CHROMIUM, *options, f"--user-data-dir={folder}", "about:blank"],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._ours, self._theirs = ours, os.fdopen(theirs, "rb")
        self._number, self._session, self._events = 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        """What the browser answers to a command of its protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._ours, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]
            self._events.append(found)

    def _read(self):
        letters = bytearray()
        while (letter := self._theirs.read(1)) not in (b"\0", b""):
            letters += letter
        assert letters, "the browser has gone"
        return json.loads(letters)

    def run(self, script):
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def open(self, path, *, width=1200, dark=False, media=""):
        """Show a file, at a width in pixels, light or dark, on a screen or as it is printed."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[theme])
        self.call("Page.navigate", url=path.as_uri())
        for _ in range(300):
            if self.run("document.readyState === 'complete' && location.protocol === 'file:'"):
                return
            time.sleep(0.05)
        raise TimeoutError(path)

    @property
    def trouble(self):
        """What was said to the console, and what was thrown."""
        return [event["params"] for event in self._events if event.get("method") in _TROUBLE]

    def image(self, path, *, left=0, top=0, width=1200, height=900):
        """A part of the page as a PNG file."""
        clip = {"x": left, "y": top, "width": width, "height": height, "scale": 1}
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def printed(self):
        """The page as a PDF."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])

    def close(self):
        """End the browser."""
        self._process.terminate()
        self._process.wait()
        os.close(self._ours)
        self._theirs.close()
