// The large picture: the live 3D view or one of the cameras, which also stand small beside it.

const VIEW = "3D view";

// Whether this browser draws three dimensions without a GPU. That holds up the page, and with it the keys.
function drawsInSoftware() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return true;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

export class Screen {
  constructor({ cameras, keys }) {
    this.cameras = cameras;
    this.view = document.getElementById("view");
    this.large = document.getElementById("large");
    this.hook = keys;
    this.shown = "";
    this.names = [];
    this.hasView = false;
  }

  set(names, view) {
    const choices = [...(view ? [VIEW] : []), ...names];
    this.address = view;
    this.hasView = Boolean(view);
    this.slow ??= Boolean(view) && drawsInSoftware();
    const first = this.slow ? names[0] ?? VIEW : choices[0];
    this.names = names;
    this.tabs(choices);
    this.thumbs();
    this.choose(choices.includes(this.shown) ? this.shown : first ?? "");
  }

  tabs(choices) {
    const tabs = document.getElementById("tabs");
    tabs.hidden = choices.length < 2;
    tabs.replaceChildren(...choices.map((name) => this.button(name, Object.assign(document.createElement("span"), { textContent: name }))));
    if (this.slow) tabs.firstChild.title = "This browser draws without a GPU: slow, and it may hold up the keys";
  }

  thumbs() {
    const place = document.getElementById("cameras");
    place.hidden = !this.names.length;
    place.replaceChildren(...this.names.map((name) => {
      const label = Object.assign(document.createElement("span"), { textContent: name, className: "name" });
      const late = Object.assign(document.createElement("span"), { textContent: "no picture", className: "late" });
      const button = this.button(name, this.cameras.canvas(name), label, late);
      button.title = `Look at ${name} large`;
      return button;
    }));
  }

  button(name, ...children) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.look = name;
    button.append(...children);
    button.addEventListener("click", () => this.choose(name));
    return button;
  }

  choose(name) {
    this.shown = name;
    if (name === VIEW && this.view.getAttribute("src") !== this.address) this.view.src = this.address;
    this.view.hidden = name !== VIEW;
    this.large.hidden = name === VIEW || name === "";
    document.getElementById("no-picture").hidden = name === VIEW;
    for (const button of document.querySelectorAll("[data-look]")) button.setAttribute("aria-pressed", String(button.dataset.look === name));
    if (this.names.includes(name)) this.drawn(name, this.cameras.canvas(name));
  }

  drawn(name, canvas) {
    if (name !== this.shown || this.cameras.age(name) === Infinity) return;
    if (this.large.width !== canvas.width || this.large.height !== canvas.height) {
      [this.large.width, this.large.height] = [canvas.width, canvas.height];
    }
    this.large.getContext("2d").drawImage(canvas, 0, 0);
    document.getElementById("no-picture").hidden = true;
  }

  // Pictures that stopped coming are marked, so that nobody drives by an old one.
  age() {
    for (const button of document.querySelectorAll("#cameras [data-look]")) {
      button.classList.toggle("stale", this.cameras.age(button.dataset.look) > 2000);
    }
  }
}
