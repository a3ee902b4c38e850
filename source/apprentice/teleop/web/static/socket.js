// The page's one connection for control: says hello, sends the complete input on every change and every 50 ms,
// measures the way there and back, and comes again when it is cut off.

const SILENT_MS = 2000; // the server speaks many times a second: this long without a word is a fault
const CLOSE_MS = 8; // of two moves of a finger within this time the later one counts
const FULL_BYTES = 8192; // what is not sent yet; input behind it would be old when it arrives

export function address(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

// The token has become a cookie: it need not stand where everybody sees it who looks at the screen.
export function hideToken() {
  if (location.search) history.replaceState(history.state, "", location.pathname);
}

export function browserName() {
  const agent = navigator.userAgent;
  const kinds = [["OculusBrowser", "Quest Browser"], ["Edg/", "Edge"], ["Firefox", "Firefox"], ["Chrome", "Chrome"], ["Safari", "Safari"]];
  const systems = [["OculusBrowser", ""], ["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Mac", "Mac"], ["Windows", "Windows"], ["Linux", "Linux"]];
  const find = (pairs) => pairs.find(([sign]) => agent.includes(sign))?.[1] ?? "";
  const [kind, system] = [find(kinds) || "Browser", find(systems)];
  return system ? `${kind} on ${system}` : kind;
}

export class Link {
  // `read()` gives the input to send, without seq and t; `on` has opened, closed(reason), silent(ms), message(data).
  constructor({ kind, read, on }) {
    Object.assign(this, { kind, read, on });
    this.seq = 0;
    this.rtts = [];
    this.wait = 500;
    this.heard = 0;
    this.silent = false;
    this.ticker = new Worker("/static/ticker.js");
    this.ticker.onmessage = () => this.beat();
    this.open();
  }

  get isOpen() { return this.socket?.readyState === WebSocket.OPEN; }

  get rtt() {
    const sorted = [...this.rtts].sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
  }

  open() {
    clearTimeout(this.retry);
    const socket = new WebSocket(address("/ws"));
    this.socket = socket;
    socket.onopen = () => {
      this.wait = 500;
      this.heard = performance.now();
      this.rtts = [];
      this.post({ type: "hello", name: browserName(), kind: this.kind, resume: this.resume });
      this.on.opened();
      this.send();
    };
    socket.onmessage = (event) => {
      this.heard = performance.now();
      const data = JSON.parse(event.data);
      if (data.type === "pong") this.rtts = [...this.rtts.slice(-8), this.heard - data.t];
      else {
        if (data.type === "welcome") this.resume = data.resume; // who was cut off is the same one again
        this.on.message(data);
      }
    };
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      this.on.closed(event.reason);
      this.retry = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(this.wait * 1.6, 4000);
    };
  }

  // Cuts a connection that may be dead and makes a new one.
  again() {
    const old = this.socket;
    this.open();
    old?.close();
  }

  // Ends for good, as when the page goes away.
  close() {
    clearTimeout(this.retry);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000, "the page was closed");
  }

  post(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  send() {
    clearTimeout(this.later);
    this.later = null;
    if (!this.isOpen || this.socket.bufferedAmount > FULL_BYTES) return;
    this.sent = performance.now();
    this.post({ type: "input", seq: this.seq++, t: performance.now(), ...this.read() });
  }

  // For what changes by little and often: sends what it is by then, a moment after the last message at the latest.
  soon() {
    const wait = CLOSE_MS - (performance.now() - (this.sent ?? 0));
    if (wait <= 0) this.send();
    else this.later ??= setTimeout(() => this.send(), wait);
  }

  // The input that goes before tells when it was asked for: what is held up on its way starts no robot.
  command(name) {
    this.send();
    this.post({ type: "command", name });
  }

  beat() {
    this.send();
    const now = performance.now();
    if (this.isOpen && now - (this.pinged ?? 0) > 1000) {
      this.pinged = now;
      this.post({ type: "ping", t: now });
    }
    const silence = now - this.heard;
    const silent = this.isOpen && silence > SILENT_MS;
    // a connection that is closed says so itself
    if (this.isOpen && (silent || this.silent)) this.on.silent(silent ? silence : 0);
    this.silent = silent;
  }
}
