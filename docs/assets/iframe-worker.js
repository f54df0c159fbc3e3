/* Search where the site is opened from a disk: browsers start no worker there, so that its code runs in a hidden frame instead. */
"use strict";
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      frame.setAttribute("aria-hidden", "true");
      document.body.appendChild(frame);
      this.scope = frame.contentWindow;
      // What the worker says is an event here, and what it is told is an event there.
      this.scope.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.scope.importScripts = (...addresses) => Promise.all(addresses.map((one) => this.load(one)));
      this.load(new URL(address, document.baseURI)).then(() => {
        this.isReady = true;
        this.waiting.forEach((data) => this.postMessage(data));
      });
    }

    load(address) {
      const script = this.scope.document.createElement("script");
      script.src = String(address);
      const loaded = new Promise((resolve, reject) => {
        script.onload = resolve;
        script.onerror = () => reject(new Error(`${address} cannot be loaded`));
      });
      this.scope.document.body.appendChild(script);
      return loaded;
    }

    set onmessage(listener) {
      this.addEventListener("message", listener);
    }

    postMessage(data) {
      if (this.isReady) {
        this.scope.dispatchEvent(new this.scope.MessageEvent("message", { data }));
      } else {
        this.waiting.push(data);
      }
    }

    terminate() {
      this.scope.frameElement.remove();
    }
  };
}
