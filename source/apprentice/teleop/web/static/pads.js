// Gamepads of the browser, as plain numbers.

export const finite = (value) => (Number.isFinite(value) ? value : 0);

export class Pads {
  constructor(changed) {
    this.changed = changed;
    this.last = "[]";
    this.running = false;
    const start = () => { if (!this.running) { this.running = true; this.watch(); } };
    window.addEventListener("gamepadconnected", start);
    window.addEventListener("gamepaddisconnected", () => this.changed());
    if (this.connected().length) start();
  }

  connected() {
    return [...(navigator.getGamepads?.() ?? [])].filter((pad) => pad?.connected);
  }

  // A page that nobody sees has no business driving: a pad would go on being read there.
  read() {
    if (document.visibilityState !== "visible") return [];
    return this.connected().map((pad) => ({
      id: pad.id.slice(0, 100),
      buttons: pad.buttons.map((button) => finite(button.value)),
      axes: pad.axes.map(finite),
    }));
  }

  pulse(strength, ms) {
    for (const pad of this.connected()) {
      pad.vibrationActuator?.playEffect?.("dual-rumble", { duration: ms, strongMagnitude: strength, weakMagnitude: strength }).catch(() => {});
    }
  }

  watch() {
    const now = JSON.stringify(this.read());
    if (now !== this.last) {
      this.last = now;
      this.changed();
    }
    this.running = this.connected().length > 0;
    if (this.running) requestAnimationFrame(() => this.watch());
  }
}
