// Everything that can be asked of the recording, as buttons that name their keys.

const RUNNING = ["recording", "paused"];

export const COMMANDS = [
  { name: "start", label: "Start", key: "Enter", when: ["ready", "paused"] },
  { name: "pause", label: "Pause", key: "Space", when: ["recording", "countdown"] },
  { name: "rewind", label: "Rewind (hold)", key: "Backspace", when: [...RUNNING, "rewinding"], hold: true },
  { name: "mark", label: "Mark subtask", key: "M", when: RUNNING },
  { name: "save", label: "Save", key: "N", when: RUNNING },
  { name: "discard", label: "Discard", key: "L", when: [...RUNNING, "rewinding", "countdown"] },
  { name: "undo", label: "Undo save", key: "U", when: null },
  { name: "stop", label: "End session", key: "", when: null },
];

// The keys of the commands: what the server's bindings say, else ours. Bindings name theirs in a field `command`.
export function keysOf(bindings) {
  const own = Object.fromEntries(COMMANDS.map(({ name, key }) => [name, key]));
  for (const { command, keys } of bindings) if (command in own) own[command] = keys;
  return own;
}

export class Commands {
  // `ask(name)` sends a command, `changed()` follows a press or release of a held button.
  constructor(place, { ask, changed, confirmStop }) {
    this.held = new Set();
    this.changed = changed;
    this.buttons = new Map();
    for (const command of COMMANDS) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.command = command.name;
      button.append(Object.assign(document.createElement("span"), { textContent: command.label }));
      button.append(document.createElement("kbd"));
      if (command.hold) this.holds(button, command.name);
      else button.addEventListener("click", () => (command.name === "stop" ? confirmStop() : ask(command.name)));
      this.buttons.set(command.name, button);
      place.append(button);
    }
    this.label(keysOf([]));
  }

  label(keys) {
    for (const [name, button] of this.buttons) {
      const hint = button.querySelector("kbd");
      hint.textContent = keys[name];
      hint.hidden = !keys[name];
    }
  }

  holds(button, name) {
    const set = (down) => {
      if (down === this.held.has(name) || (down && button.disabled)) return;
      if (down) this.held.add(name); else this.held.delete(name);
      button.classList.toggle("down", down);
      this.changed();
    };
    button.addEventListener("pointerdown", (event) => { button.setPointerCapture(event.pointerId); set(true); });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) button.addEventListener(end, () => set(false));
    const isPress = (event) => event.code === "Space" || event.code === "Enter";
    button.addEventListener("keydown", (event) => isPress(event) && !event.repeat && set(true));
    button.addEventListener("keyup", (event) => isPress(event) && set(false));
    button.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  release() {
    this.held.clear();
    for (const button of this.buttons.values()) button.classList.remove("down");
  }

  show(status, driving) {
    const { state } = status;
    for (const { name, when } of COMMANDS) {
      const button = this.buttons.get(name);
      const possible = name === "undo" ? Boolean(status.can_undo) : when === null || when.includes(state);
      // a held button must not lose its release
      button.disabled = !(driving && possible) && !this.held.has(name);
    }
    this.buttons.get("start").firstChild.textContent = state === "paused" ? "Go on" : "Start";
    const main = { ready: "start", paused: "start", recording: "pause", countdown: "pause" }[state];
    for (const [name, button] of this.buttons) button.classList.toggle("main", driving && name === main);
  }
}
