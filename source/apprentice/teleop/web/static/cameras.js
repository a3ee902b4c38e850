// Pictures of the task's cameras: the newest of each is decoded and drawn, older ones are dropped.

import { address } from "/static/socket.js";

export class Cameras {
  // `drawn(name, canvas)` is called after a picture was drawn onto the camera's canvas.
  constructor(drawn) {
    this.drawn = drawn;
    this.canvases = new Map();
    this.waiting = new Map();
    this.busy = new Set();
    this.seen = new Map();
    this.open();
  }

  canvas(name) {
    if (!this.canvases.has(name)) this.canvases.set(name, document.createElement("canvas"));
    return this.canvases.get(name);
  }

  age(name) {
    return performance.now() - (this.seen.get(name) ?? -Infinity);
  }

  open() {
    const socket = new WebSocket(address("/cam"));
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      const length = new Uint8Array(data, 0, 1)[0];
      const name = new TextDecoder("ascii").decode(new Uint8Array(data, 1, length));
      this.waiting.set(name, new Blob([new Uint8Array(data, 1 + length)], { type: "image/jpeg" }));
      this.draw(name);
    };
    socket.onclose = () => { if (socket === this.socket) this.retry = setTimeout(() => this.open(), 1500); };
  }

  close() {
    clearTimeout(this.retry);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  async draw(name) {
    if (this.busy.has(name)) return;
    this.busy.add(name);
    while (this.waiting.has(name)) {
      const jpeg = this.waiting.get(name);
      this.waiting.delete(name);
      // a picture that was cut off is not worth more than skipping it
      const picture = await createImageBitmap(jpeg).catch(() => null);
      if (!picture) continue;
      const canvas = this.canvas(name);
      if (canvas.width !== picture.width || canvas.height !== picture.height) {
        [canvas.width, canvas.height] = [picture.width, picture.height];
      }
      canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      this.seen.set(name, performance.now());
      this.drawn(name, canvas);
    }
    this.busy.delete(name);
  }
}
