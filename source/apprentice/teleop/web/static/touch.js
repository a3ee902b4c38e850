// Two sticks and four buttons on a touch screen. They reach the server as one more gamepad, called "touch", with the
// layout of a standard one: axes left x, left y, right x, right y (down is positive). Up and down pull the right stick,
// tilt is the left shoulder (the left stick then tilts), grip the right one.

const AXIS = { left: 0, right: 2 };
const BUTTON = { tilt: 4, grip: 5 };
const PULL = { up: -1, down: 1 };
const BUTTONS = 17;

export class Touch {
  constructor(place, changed, moved) {
    this.axes = [0, 0, 0, 0];
    this.buttons = new Array(BUTTONS).fill(0);
    this.pulls = new Set();
    this.changed = changed;
    this.moved = moved;
    this.used = false;
    this.knobs = [];
    for (const stick of place.querySelectorAll("[data-stick]")) this.stick(stick, AXIS[stick.dataset.stick]);
    for (const button of place.querySelectorAll("[data-pad]")) this.button(button, button.dataset.pad);
  }

  read() {
    if (!this.used) return [];
    const [x, y, turn, lift] = this.axes;
    const pulled = [...this.pulls].reduce((sum, name) => sum + PULL[name], lift);
    return [{ id: "touch", buttons: [...this.buttons], axes: [x, y, turn, Math.max(-1, Math.min(1, pulled))] }];
  }

  release() {
    this.axes.fill(0);
    this.buttons.fill(0);
    this.pulls.clear();
    for (const reset of this.knobs) reset();
  }

  stick(place, axis) {
    const knob = place.querySelector(".knob");
    let finger = null;
    const rest = () => {
      finger = null;
      knob.style.transform = "";
      this.axes[axis] = this.axes[axis + 1] = 0;
    };
    const move = (event) => {
      if (event.pointerId !== finger) return;
      const box = place.getBoundingClientRect();
      const reach = box.width / 2;
      let x = (event.clientX - box.left) / reach - 1;
      let y = (event.clientY - box.top) / reach - 1;
      const length = Math.max(1, Math.hypot(x, y));
      [x, y] = [x / length, y / length];
      knob.style.transform = `translate(${x * reach * 0.6}px, ${y * reach * 0.6}px)`;
      [this.axes[axis], this.axes[axis + 1]] = [x, y];
      this.moved();
    };
    place.addEventListener("pointerdown", (event) => {
      if (finger !== null) return;
      this.used = true;
      finger = event.pointerId;
      place.setPointerCapture(finger);
      move(event);
    });
    place.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      place.addEventListener(end, (event) => { if (event.pointerId === finger) { rest(); this.changed(); } });
    }
    this.knobs.push(rest);
  }

  button(place, name) {
    const set = (down) => {
      this.used = true;
      if (name in PULL) this.pulls[down ? "add" : "delete"](name);
      else this.buttons[BUTTON[name]] = Number(down);
      place.classList.toggle("down", down);
      this.changed();
    };
    place.addEventListener("pointerdown", (event) => { place.setPointerCapture(event.pointerId); set(true); });
    for (const end of ["pointerup", "pointercancel"]) place.addEventListener(end, () => set(false));
    place.addEventListener("contextmenu", (event) => event.preventDefault());
    this.knobs.push(() => place.classList.remove("down"));
  }
}
