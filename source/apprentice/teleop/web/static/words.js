// What the page says about a state, for the desk and for the headset.

export const MARKS = { waiting: "…", ready: "▶", countdown: "◔", recording: "●", paused: "❚❚", rewinding: "◀◀", saved: "✓", discarded: "✕" };

export const seconds = (value) => `${(value ?? 0).toFixed(1)} s`;

// Title and sentence, keys in brackets. `say(command)` is what the operator does for it, such as "Press [Enter]".
export function describe(status, { driving, driver, say }) {
  const { state = "waiting", why = "" } = status;
  const because = why ? `${capital(why)}. ` : "";
  const watch = driver ? `${driver} drives, you watch.` : "Nobody drives. Take the wheel to begin.";
  const words = {
    waiting: ["Waiting for the simulator", "It is loading the task; the first time takes a minute."],
    ready: ["Ready", `${because}${say("start")} to begin. ${say("drive")}`],
    countdown: ["Get ready", "Recording is about to begin."],
    recording: ["Recording", "Success that holds saves the demo by itself."],
    paused: ["Paused", `${because}${say("start")} to go on, or ${say("rewind")} to rewind.`],
    rewinding: ["Rewinding", "Let go where it should go on. What lies after that moment leaves the demo."],
    saved: ["Saved", status.last ? `${status.last.name}, ${seconds(status.last.seconds)}. The next one comes up.` : "The next one comes up."],
    discarded: ["Discarded", `${because}Nothing of it was kept. The next one comes up.`],
  };
  const [title, text] = words[state] ?? [capital(state), why];
  if (driving) return { state, title, text };
  const keeps = state === "waiting" || state === "saved" || state === "discarded";
  return { state, title, text: keeps ? text : `${state === "paused" ? because : ""}${watch}` };
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// "rigid_cube_1" reads "rigid cube 1".
export const plain = (name) => String(name ?? "").replaceAll("_", " ").replace(/\bxr\b/, "XR");
