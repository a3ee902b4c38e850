// A worker: its timer keeps running at full rate in tabs whose own timers the browser slows down.
setInterval(() => postMessage(0), 50);
