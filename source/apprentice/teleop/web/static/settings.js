// How input is to be understood. Kept while the tab lives, so that a reload doesn't turn the directions around.

const KEY = "apprentice-settings";
const DEFAULTS = { speed: 1, command_frame: "base", operator_yaw_deg: 0, camera: "" };

export class Settings {
  constructor(changed) {
    this.values = { ...DEFAULTS, ...JSON.parse(sessionStorage.getItem(KEY) ?? "{}") };
    this.changed = changed;
    this.fields = Object.fromEntries(["speed", "frame", "camera", "yaw"].map((id) => [id, document.getElementById(id)]));
    const { speed, frame, camera, yaw } = this.fields;
    speed.addEventListener("input", () => this.set("speed", Number(speed.value)));
    frame.addEventListener("change", () => this.set("command_frame", frame.value));
    camera.addEventListener("change", () => this.set("camera", camera.value));
    yaw.addEventListener("change", () => {
      const degrees = Number(yaw.value);
      this.set("operator_yaw_deg", Number.isFinite(degrees) ? Math.max(-180, Math.min(180, degrees)) : 0);
    });
    // after a click the keyboard goes back to the robot; whoever came with Tab stays where they are
    for (const field of [speed, frame, camera]) {
      let pointed = false;
      field.addEventListener("pointerdown", () => { pointed = true; });
      field.addEventListener("keydown", () => { pointed = false; });
      field.addEventListener("change", () => { if (pointed) field.blur(); });
    }
    yaw.addEventListener("focus", () => yaw.select());
    yaw.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") yaw.blur(); });
    this.show();
  }

  cameras(names) {
    this.fields.camera.replaceChildren(...names.map((name) => new Option(name, name)));
    this.fields.frame.querySelector("[value=camera]").disabled = !names.length;
    if (!names.includes(this.values.camera)) this.values.camera = names[0] ?? "";
    if (!names.length && this.values.command_frame === "camera") this.values.command_frame = DEFAULTS.command_frame;
    this.show();
  }

  set(name, value) {
    this.values[name] = value;
    sessionStorage.setItem(KEY, JSON.stringify(this.values));
    this.show();
    this.changed();
  }

  show() {
    const { speed, frame, camera, yaw } = this.fields;
    speed.value = this.values.speed;
    document.getElementById("speed-out").textContent = `${this.values.speed.toFixed(1)}×`;
    frame.value = this.values.command_frame;
    camera.value = this.values.camera;
    yaw.value = this.values.operator_yaw_deg;
    document.getElementById("camera-row").hidden = this.values.command_frame !== "camera";
  }
}
