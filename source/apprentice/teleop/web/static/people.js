// Who drives, who watches, and handing over.

const element = (tag, properties, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

export class People {
  constructor(link) {
    this.link = link;
    this.me = null;
    this.clients = [];
    this.driver = null;
    this.drawn = "";
    document.getElementById("give").addEventListener("close", () => document.activeElement?.blur());
  }

  get driving() { return this.me !== null && this.driver === this.me; }

  get driverName() { return this.clients.find(({ id }) => id === this.driver)?.name ?? ""; }

  show(clients, driver) {
    this.clients = clients;
    this.driver = driver;
    const now = JSON.stringify([this.me, clients, driver]);
    if (now === this.drawn) return;
    this.drawn = now;
    const watching = clients.filter(({ id, kind }) => id !== driver && kind !== "device").length;
    const others = watching - (this.driving ? 0 : 1);
    const rest = others > 0 ? `, ${others} more watch${others === 1 ? "es" : ""}` : "";
    document.getElementById("who").textContent = this.driving
      ? `You drive${rest}`
      : driver === null ? "Nobody drives" : `${this.driverName} drives${rest}`;
    document.getElementById("wheel").replaceChildren(...this.buttons());
  }

  buttons() {
    const button = (label, click, main = false) =>
      element("button", { type: "button", className: main ? "main" : "quiet", onclick: click, textContent: label });
    if (this.driving) {
      const release = button("Let go of the robot", () => this.ask("release"));
      return this.receivers().length ? [button("Hand over", () => this.choose()), release] : [release];
    }
    return this.driver === null ? [button("Take the wheel", () => this.ask("take"), true)] : [];
  }

  receivers() {
    return this.clients.filter(({ id, kind }) => id !== this.me && kind !== "device");
  }

  ask(ask, to) {
    this.link.post({ type: "control", ask, ...(to === undefined ? {} : { to }) });
    document.activeElement?.blur();
  }

  choose() {
    const dialog = document.getElementById("give");
    const choices = this.receivers().map(({ id, name, kind }) =>
      element("button", {
        type: "button",
        textContent: kind === "xr" ? `${name} (headset)` : name,
        onclick: () => { dialog.close(); this.ask("give", id); },
      }));
    document.getElementById("give-list").replaceChildren(...choices);
    dialog.showModal();
  }
}
