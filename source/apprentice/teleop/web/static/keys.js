// The keys that are held now, as a set: movement is computed from it, so that a lost event can't leave a drift behind.

const FIELDS = "input:not([type=button]):not([type=checkbox]):not([type=submit]), textarea, select, [contenteditable=true]";
// what a browser would do with these: scroll, go back, press a button, search
const TAKEN = new Set(["Space", "Enter", "Backspace", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End", "Slash", "Quote"]);

// Whether keys go into a field, or to a dialogue, instead of to the robot.
export function typing(document) {
  const focus = document.activeElement;
  return Boolean(focus?.matches?.(FIELDS) || document.querySelector("dialog[open]"));
}

// Whether Enter or Space are meant for a button that was reached with Tab.
function pressing(document, code) {
  const focus = document.activeElement;
  return (code === "Enter" || code === "Space") && Boolean(focus?.matches?.("button:focus-visible, a:focus-visible, summary:focus-visible"));
}

export class HeldKeys {
  // `changed()` is called after every change; `released()` when everything was let go at once.
  constructor(changed, released) {
    this.held = new Set();
    this.takesTab = false; // whether Tab drives the robot; with Shift it moves the focus still
    this.changed = changed;
    this.released = released;
  }

  // Listens in a window. `own` is false for a page within ours that has key bindings of its own: it doesn't get them.
  listen(window, own = true) {
    const document = window.document;
    const take = (event) => {
      if (TAKEN.has(event.code) || this.drivesByTab(event)) event.preventDefault();
      if (!own) event.stopPropagation();
    };
    window.addEventListener("keydown", (event) => {
      if (event.isComposing || typing(document) || pressing(document, event.code)) return;
      if (event.code === "Escape") document.activeElement?.blur?.();
      // shortcuts belong to the browser, and some systems never tell that their keys came up
      if (event.ctrlKey || event.metaKey || event.altKey) return this.release();
      if (!event.code || (event.code === "Tab" && !this.drivesByTab(event))) return;
      take(event);
      if (event.repeat || this.held.has(event.code)) return;
      this.held.add(event.code);
      this.changed();
    }, true);
    window.addEventListener("keyup", (event) => {
      if (!typing(document) && !pressing(document, event.code)) take(event);
      if (this.held.delete(event.code)) this.changed();
    }, true);
    window.addEventListener("blur", () => this.release());
    document.addEventListener("visibilitychange", () => this.release());
    document.addEventListener("focusin", () => typing(document) && this.release());
    window.addEventListener("pagehide", () => this.release());
    document.addEventListener("freeze", () => this.release());
  }

  drivesByTab(event) {
    return event.code === "Tab" && this.takesTab && !event.shiftKey && event.target.ownerDocument?.activeElement === event.target.ownerDocument?.body;
  }

  release() {
    this.held.clear();
    this.released();
    this.changed();
  }
}

// Keys that were pressed while a frame of our origin had the focus are ours as well; again after each load of it.
export function listenInside(frame, keys) {
  const hooked = new WeakSet();
  const hook = () => {
    const document = frame.contentWindow?.document;
    if (!document || hooked.has(document)) return;
    hooked.add(document);
    keys.listen(frame.contentWindow, false);
  };
  frame.addEventListener("load", hook);
  return hook;
}
