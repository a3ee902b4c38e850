// What controllers and hands do in one frame of a WebXR session, as the server wants it.

import { finite } from "/static/pads.js";

const CLOSED_M = 0.02; // thumb and index finger, tip to tip
const OPEN_M = 0.06;
const A_BUTTON = 4; // of the WebXR gamepad: starts and pauses

const rounded = (value) => Math.round(value * 1e5) / 1e5;
const point = ({ x, y, z }) => [rounded(x), rounded(y), rounded(z)];
const turn = ({ x, y, z, w }) => [x, y, z, w];

export function pose(transform) {
  return { p: point(transform.position), q: turn(transform.orientation) };
}

// The complete state: head and hands. `press(joints)` says which virtual buttons an index finger touches.
export function read(frame, space, press) {
  const viewer = frame.getViewerPose(space);
  const hands = {};
  for (const source of frame.session.inputSources) {
    const side = source.handedness;
    // a gaze-and-pinch pointer comes and goes, and is no hand
    if ((side !== "left" && side !== "right") || source.targetRayMode === "transient-pointer") continue;
    hands[side] = source.hand ? bare(frame, space, source.hand, press) : controller(frame, space, source);
  }
  return { head: viewer ? pose(viewer.transform) : null, hands };
}

// Controllers whose position was measured at least once. Some runtimes call every position emulated.
const measured = new WeakSet();

function controller(frame, space, source) {
  const grip = source.gripSpace && frame.getPose(source.gripSpace, space);
  if (grip && !grip.emulatedPosition) measured.add(source);
  const values = source.gamepad ? source.gamepad.buttons.map(({ value }) => finite(value)) : [];
  const axes = source.gamepad ? [...source.gamepad.axes].map(finite) : [];
  return {
    ...(grip ? pose(grip.transform) : NOWHERE),
    // a position that is only guessed since the controller went out of sight must not move the robot
    tracked: Boolean(grip) && !(grip.emulatedPosition && measured.has(source)),
    source: "controller",
    trigger: values[0] ?? 0,
    squeeze: values[1] ?? 0,
    buttons: values,
    // a touchpad comes first, and isn't there on most
    axes: axes.length >= 4 ? axes.slice(2, 4) : [axes[0] ?? 0, axes[1] ?? 0],
  };
}

// A virtual controller: it lies at the knuckle of the index finger and turns with the wrist. Between the tips of thumb
// and finger it would move by centimetres whenever the hand pinches, and push the robot just as it grips.
function bare(frame, space, hand, press) {
  const joints = {};
  let wrist = null;
  for (const [name, joint] of hand) {
    const found = frame.getJointPose(joint, space);
    if (!found) continue;
    joints[name] = point(found.transform.position);
    if (name === "wrist") wrist = found.transform.orientation;
  }
  const [thumb, index, knuckle] = ["thumb-tip", "index-finger-tip", "index-finger-phalanx-proximal"].map((name) => joints[name]);
  if (!thumb || !index || !knuckle || !wrist) return { ...NOWHERE, ...IDLE, tracked: false, joints };
  const apart = Math.hypot(...thumb.map((value, axis) => value - index[axis]));
  const trigger = Math.max(0, Math.min(1, (OPEN_M - apart) / (OPEN_M - CLOSED_M)));
  return {
    ...IDLE,
    p: knuckle,
    q: turn(wrist),
    tracked: true,
    trigger,
    buttons: press(index),
    joints,
  };
}

const NOWHERE = { p: [0, 0, 0], q: [0, 0, 0, 1] };
const IDLE = { source: "hand", trigger: 0, squeeze: 0, buttons: [], axes: [0, 0] };

// Hands that nobody can vouch for any more, as while the headset shows something else.
export function untracked(xr) {
  const gone = ([side, hand]) => [side, { ...hand, tracked: false, trigger: 0, squeeze: 0, buttons: [], axes: [0, 0] }];
  return { head: xr.head, hands: Object.fromEntries(Object.entries(xr.hands).map(gone)) };
}

// Three buttons in the air for those who have no controller. They press what a controller's buttons would.
export const AIR_BUTTONS = [
  { label: "Start / pause", button: A_BUTTON },
  { label: "Rewind (hold)", button: 5 },
  { label: "Save", button: 3 },
];

// The buttons that a finger at `tip` touches. `local(tip)` brings it into the panel's frame: x along it, y up, z out of
// it (m); `size` is that of the panel.
export function touched(tip, local, [width, height]) {
  const [x, y, z] = local(tip);
  const values = [];
  if (Math.abs(z) > 0.025 || Math.abs(x) > width / 2 || Math.abs(y) > height / 2) return values;
  const row = Math.min(AIR_BUTTONS.length - 1, Math.floor((0.5 - y / height) * AIR_BUTTONS.length));
  values.length = 6;
  values.fill(0);
  values[AIR_BUTTONS[row].button] = 1;
  return values;
}
