// The headset's page: enters WebXR, sends head, controllers and hands with every frame, and hangs the task's cameras and
// the state of the recording in front of the operator. A or X start and pause, B or Y held rewind, the
// thumbstick pressed saves; bare hands touch the three buttons on the left instead.

import { Cameras } from "/static/cameras.js";
import * as lost from "/static/lost.js";
import * as panel from "/static/panel.js";
import { People } from "/static/people.js";
import { Settings } from "/static/settings.js";
import { Link, hideToken } from "/static/socket.js";
import * as input from "/static/xr_input.js";
import { Panels, facing, inside, yawOf } from "/static/xr_panels.js";
import { Signs } from "/static/xr_signs.js";

const OLD_MS = 150; // frames come every 14 ms: after this long nobody knows where the hands are
const BUTTONS_M = 0.21;
const at = (id) => document.getElementById(id);

let session = null;
let space = null;
let panels = null;
let buttonsModel = null;
let xr = null;
let xrTime = 0;
let status = {};
let names = [];
let link = null;
let toast;
const signs = new Signs();
const settings = new Settings(() => link.send());

const seen = () => session?.visibilityState === "visible";

function state() {
  if (!session || !xr) return null;
  return seen() && performance.now() - xrTime < OLD_MS ? xr : input.untracked(xr);
}

hideToken();
link = new Link({
  kind: "xr",
  read: () => ({
    visible: session ? seen() : document.visibilityState === "visible",
    keys: [],
    held: [],
    pads: [],
    xr: state(),
    settings: settings.values,
  }),
  on: { opened: lost.opened, closed, silent: lost.silent, message },
});
const people = new People(link);
const cameras = new Cameras((name) => panels?.touch(name));

at("enter-vr").addEventListener("click", () => enter("immersive-vr"));
at("enter-ar").addEventListener("click", () => enter("immersive-ar"));
at("lost-again").addEventListener("click", () => link.again());
window.addEventListener("pagehide", () => { link.close(); cameras.close(); });
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
offer();

async function offer() {
  const supported = (mode) => navigator.xr?.isSessionSupported(mode).catch(() => false) ?? false;
  const [vr, ar] = [await supported("immersive-vr"), await supported("immersive-ar")];
  at("enter-vr").disabled = !vr;
  at("enter-ar").disabled = !ar;
  at("why-not").textContent = vr || ar
    ? ""
    : isSecureContext
      ? "This browser has no headset. Open this page in the browser of a Quest or a Vision Pro (on Vision Pro, WebXR is switched on in Settings, Apps, Safari, Advanced, Feature Flags)."
      : `Browsers give headsets only to pages that come over https or from localhost. Open https://${location.host}/xr, or forward the port with adb reverse.`;
}

async function enter(mode) {
  if (session) return;
  try {
    session = await navigator.xr.requestSession(mode, { optionalFeatures: ["local-floor", "hand-tracking"] });
  } catch (error) {
    return tell(`The headset did not begin a session: ${error.message}`);
  }
  session.addEventListener("end", ended);
  session.addEventListener("visibilitychange", () => link.send());
  const gl = at("gl").getContext("webgl2", { xrCompatible: true });
  await gl.makeXRCompatible?.();
  session.updateRenderState({ baseLayer: new XRWebGLLayer(session, gl) });
  // without a floor the head is at height zero: only differences move the robot, so it drives the same
  space = await session.requestReferenceSpace("local-floor").catch(() => session.requestReferenceSpace("local"));
  panels = new Panels(gl);
  buttonsModel = null;
  document.body.dataset.session = mode;
  session.requestAnimationFrame((time, frame) => draw(frame, mode));
}

function ended() {
  [session, space, panels, xr] = [null, null, null, null];
  document.body.dataset.session = "none";
  link.send();
}

function draw(frame, mode) {
  const now = frame.session;
  if (now !== session) return;
  now.requestAnimationFrame((time, next) => draw(next, mode));
  const viewer = frame.getViewerPose(space);
  if (viewer && !buttonsModel) hang(viewer.transform);
  const press = (tip) => (buttonsModel ? input.touched(tip, (point) => inside(buttonsModel, point), [BUTTONS_M, BUTTONS_M]) : []);
  xr = input.read(frame, space, press);
  xrTime = performance.now();
  link.send();
  if (!viewer) return;
  paint();
  panels.draw(now.renderState.baseLayer, viewer.views, mode === "immersive-ar" ? [0, 0, 0, 0] : [0.05, 0.06, 0.07, 1]);
}

// Hangs the panels up around where the operator looks when the session begins.
function hang({ position, orientation }) {
  const head = { position, yaw: yawOf(orientation) };
  panels.set("banner", signs.banner, facing(head, 1.3, 0, 0.34), 1.15);
  buttonsModel = facing(head, 0.5, 0.75, -0.25);
  panels.set("buttons", signs.buttons, buttonsModel, BUTTONS_M);
  const apart = 0.52;
  names.forEach((name, index) => {
    const side = ((names.length - 1) / 2 - index) * apart;
    panels.set(name, cameras.canvas(name), facing(head, 1.3, side, -0.14), 0.64);
  });
}

function paint() {
  const context = { driving: people.driving, driver: people.driverName, say };
  if (signs.drawBanner(status, context, !link.isOpen)) panels.touch("banner");
  const bare = Object.values(xr.hands).filter(({ source }) => source === "hand");
  const pressed = input.AIR_BUTTONS.map(({ button }) => [button, bare.some(({ buttons }) => buttons[button])]);
  if (signs.drawButtons(Object.fromEntries(pressed))) panels.touch("buttons");
  panels.show("buttons", bare.length > 0);
}

function say(command) {
  const hands = Object.values(xr?.hands ?? {}).some(({ source }) => source === "hand");
  if (!session) return { start: "Enter VR, then press A or X", rewind: "hold B or Y", drive: "" }[command];
  return hands
    ? { start: "Touch Start on your left", rewind: "hold Rewind", drive: "The robot follows your hand; pinch to grip." }[command]
    : { start: "Press A or X", rewind: "hold B or Y", drive: "Squeeze to move the robot, trigger to grip." }[command];
}

function closed(reason) {
  people.me = null;
  lost.closed(reason);
}

function message(data) {
  if (data.type === "welcome") welcome(data);
  else if (data.type === "state") show(data);
  else if (data.type === "pulse") pulse(data);
  else if (data.type === "error") tell(data.message);
}

function welcome(data) {
  people.me = data.you;
  names = data.cameras;
  settings.cameras(names);
  at("task").textContent = data.task;
  at("variant").textContent = [data.variant, data.backend].filter(Boolean).join(" · ");
}

function show(data) {
  status = data;
  people.show(data.clients ?? [], data.driver ?? null);
  document.body.dataset.role = people.driving ? "driver" : "watcher";
  panel.banner(status, { driving: people.driving, driver: people.driverName, say });
  panel.tally(status);
  if (data.devices) panel.devices(data.devices);
}

function pulse({ hand, strength, ms }) {
  for (const source of session?.inputSources ?? []) {
    if (source.handedness === hand) source.gamepad?.hapticActuators?.[0]?.pulse(strength, ms);
  }
}

function tell(text) {
  at("toast").textContent = text;
  at("toast").hidden = false;
  clearTimeout(toast);
  toast = setTimeout(() => { at("toast").hidden = true; }, 6000);
}
