// The desk page: what the operator does goes out complete, what the server says is drawn.

import { Cameras } from "/static/cameras.js";
import { Commands, keysOf } from "/static/commands.js";
import { HeldKeys, listenInside } from "/static/keys.js";
import { Pads } from "/static/pads.js";
import * as lost from "/static/lost.js";
import * as panel from "/static/panel.js";
import { People } from "/static/people.js";
import { Screen } from "/static/screen.js";
import { Settings } from "/static/settings.js";
import { Link, hideToken } from "/static/socket.js";
import { Touch } from "/static/touch.js";

const at = (id) => document.getElementById(id);
const fingers = matchMedia("(hover: none) and (pointer: coarse)");
let link = null;
let status = {};
let keyNames = keysOf([]);
let toast;

const changed = () => link?.send();
const keys = new HeldKeys(changed, () => { commands.release(); touch.release(); });
const moved = () => link?.soon();
const touch = new Touch(at("touch"), changed, moved);
const pads = new Pads(moved);
const settings = new Settings(changed);
const commands = new Commands(at("commands"), {
  ask: (name) => link.command(name),
  changed,
  confirmStop: () => at("stop").showModal(),
});
const cameras = new Cameras((name, canvas) => screen.drawn(name, canvas));
const screen = new Screen({ cameras });

hideToken();
link = new Link({
  kind: "page",
  read: () => ({
    visible: document.visibilityState === "visible",
    keys: [...keys.held],
    held: [...commands.held],
    pads: [...pads.read(), ...touch.read()],
    xr: null,
    settings: settings.values,
  }),
  on: { opened: lost.opened, closed, silent: lost.silent, message },
});
const people = new People(link);

keys.listen(window);
listenInside(at("view"), keys)();
window.addEventListener("pagehide", () => { link.close(); cameras.close(); });
// back from the browser's cache of pages: nothing of it is connected any more
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
at("stop").addEventListener("close", () => { if (at("stop").returnValue === "yes") link.command("stop"); });
at("qr-open").addEventListener("click", elsewhere);
navigator.xr?.isSessionSupported("immersive-vr").then((supported) => { at("to-xr").hidden = !supported; }).catch(() => {});
at("lost-again").addEventListener("click", () => link.again());
// a button that was clicked gives the keyboard back to the robot; one that was pressed by key keeps the focus
document.addEventListener("click", (event) => {
  if (event.detail > 0 && event.target.closest("button") && !event.target.closest("dialog")) document.activeElement?.blur();
});
setInterval(() => screen.age(), 500);

// How to open the page on another device.
function elsewhere() {
  const port = location.port || "443";
  at("qr-image").src = "/qr.svg";
  at("qr-local").hidden = !["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  at("qr-adb").textContent = `adb reverse tcp:${port} tcp:${port}`;
  at("qr-ca").hidden = location.protocol !== "https:";
  at("qr").showModal();
}

// What to do, in words for the device at hand.
function say(command) {
  if (fingers.matches) {
    const start = status.state === "paused" ? "Tap Go on" : "Tap Start";
    return { start, rewind: "hold Rewind", drive: "The sticks below move the robot." }[command];
  }
  return { start: `Press [${keyNames.start}]`, rewind: `hold [${keyNames.rewind}]`, drive: "The controls on the left move the robot." }[command];
}

function closed(reason) {
  keys.release();
  people.me = null;
  lost.closed(reason);
}

function message(data) {
  if (data.type === "welcome") welcome(data);
  else if (data.type === "state") show(data);
  else if (data.type === "pulse") pads.pulse(data.strength, data.ms);
  else if (data.type === "error") tell(data.message);
}

function welcome(data) {
  people.me = data.you;
  at("task").textContent = data.task;
  at("variant").textContent = [data.variant, data.backend, data.control_hz ? `${data.control_hz} Hz` : ""].filter(Boolean).join(" · ");
  document.title = `${data.task}: teleoperation`;
  keyNames = keysOf(data.bindings);
  keys.takesTab = data.bindings.some((binding) => binding.keys.split(" / ").includes("Tab"));
  commands.label(keyNames);
  panel.bindings(data.bindings);
  settings.cameras(data.cameras);
  screen.set(data.cameras, data.view);
  if (!status.state) panel.banner({}, { driving: true, driver: "", say });
  link.send();
}

function show(data) {
  status = data;
  people.show(data.clients ?? [], data.driver ?? null);
  const driving = people.driving;
  document.body.dataset.role = driving ? "driver" : "watcher";
  panel.banner(status, { driving, driver: people.driverName, say });
  commands.show(status, driving);
  if (data.subtasks) panel.subtasks(data.subtasks);
  if (data.devices) panel.devices(data.devices);
  at("touch").classList.toggle("off", Boolean(data.devices?.length) && !data.devices.some(({ name }) => name.includes("gamepad")));
  panel.tally(status);
  panel.demos(status);
  panel.pace(status.pace, link.rtt);
  if (data.message !== told) { told = data.message; tell(data.message); }
}

let told = "";

function tell(text) {
  if (!text) return;
  at("toast").textContent = text;
  at("toast").hidden = false;
  clearTimeout(toast);
  toast = setTimeout(() => { at("toast").hidden = true; }, 6000);
}
