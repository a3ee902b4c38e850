// Draws what the server says about the episode, the demos, the devices and the clock.

import { MARKS, capital, describe, plain, seconds } from "/static/words.js";

const at = (id) => document.getElementById(id);

// Sets text only where it changed, so that screen readers and selections are left alone.
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// A sentence in which [Enter] is drawn as a key.
function sentence(place, text) {
  if (place.dataset.text === text) return;
  place.dataset.text = text;
  const pieces = text.split(/\[(.+?)\]/);
  place.replaceChildren(...pieces.map((piece, index) => (index % 2 ? cap(piece) : piece)));
}

const cap = (key) => Object.assign(document.createElement("kbd"), { textContent: key });

function rows(place, items, draw) {
  while (place.children.length > items.length) place.lastChild.remove();
  while (place.children.length < items.length) place.append(document.createElement(place.tagName === "DL" ? "div" : "li"));
  items.forEach((item, index) => draw(place.children[index], item));
}

function parts(place, count) {
  while (place.children.length < count) place.append(document.createElement("span"));
  return place.children;
}

export function banner(status, context) {
  const { state, title, text } = describe(status, context);
  document.body.dataset.state = state;
  write(at("banner-mark"), MARKS[state] ?? "");
  write(at("banner-title"), title);
  sentence(at("banner-text"), text);
  const clock = state === "countdown" ? String(Math.ceil(status.countdown_s ?? 0)) : ["recording", "paused", "rewinding"].includes(state) ? seconds(status.seconds) : "";
  write(at("clock"), clock);
  const through = status.max_steps ? Math.min(1, (status.step ?? 0) / status.max_steps) : 0;
  at("steps").style.setProperty("--through", through);
  at("steps").title = `Step ${status.step ?? 0} of ${status.max_steps ?? 0}`;
  success(status);
}

function success({ success = false, held = 0, held_steps: wanted = 0 }) {
  at("success").classList.toggle("on", success);
  at("held").style.setProperty("--held", wanted ? Math.min(1, held / wanted) : 0);
  write(at("success-text"), !success ? "No success yet" : held >= wanted ? "Success held" : `Success: hold, ${held} of ${wanted}`);
}

export function subtasks(list) {
  const next = list.findIndex(({ done, marked }) => !done && marked == null);
  rows(at("subtasks"), list.map((item, index) => ({ ...item, index })), (place, item) => {
    const { eef, signal, object, colour, done, marked, index } = item;
    const state = done || marked != null ? "done" : index === next ? "next" : "later";
    place.className = state;
    const [mark, name, note, swatch] = parts(place, 4);
    swatch.className = "swatch";
    swatch.hidden = !colour;
    swatch.style.background = colour ?? "";
    mark.className = "tick";
    write(mark, { done: "✓", next: "➜", later: "○" }[state]);
    name.className = "name";
    write(name, capital(plain(signal ?? (object ? `finish with ${plain(object)}` : "finish"))));
    note.className = "note";
    const arms = new Set(list.map((each) => each.eef)).size > 1;
    write(note, marked != null ? `marked by hand, step ${marked}` : [arms ? plain(eef) : "", signal && object ? plain(object) : ""].filter(Boolean).join(", "));
  });
}

export function devices(list) {
  rows(at("devices"), list, (place, { name, connected, age_ms: age, detail }) => {
    const silent = connected && age != null && age > 200;
    place.className = connected ? (silent ? "late" : "done") : "bad";
    const [mark, label, note] = parts(place, 3);
    mark.className = "tick";
    write(mark, connected ? (silent ? "!" : "✓") : "✕");
    label.className = "name";
    write(label, capital(plain(name)));
    note.className = "note";
    const heard = age == null ? "" : age < 1000 ? `${Math.round(age)} ms ago` : `silent for ${seconds(age / 1000)}`;
    write(note, [connected ? "" : "not connected", detail, heard].filter(Boolean).join(", "));
  });
}

export function tally({ saved = 0, wanted }) {
  at("tally").style.setProperty("--through", wanted ? Math.min(1, saved / wanted) : 0);
  write(at("tally"), wanted ? `${saved} of ${wanted} saved` : `${saved} saved`);
}

export function demos({ discarded = 0, last, file = "", seed }) {
  const lines = [
    last ? `Last: ${last.name}, ${seconds(last.seconds)}, ${last.success ? "success ✓" : "no success"}` : "None saved yet",
    [discarded ? `${discarded} discarded` : "", seed == null ? "" : `seed ${seed}`, file.split("/").pop()].filter(Boolean).join(" · "),
  ];
  rows(at("demos"), lines, (place, line) => write(place, line));
}

export function pace({ hz, wanted_hz: wanted, jitter_ms: jitter, latency_ms: latency } = {}, rtt) {
  const number = (value, digits, unit) => (value == null ? "–" : `${value.toFixed(digits)} ${unit}`);
  const figures = [
    ["Control rate", wanted ? `${number(hz, 1, "")}of ${wanted} Hz` : number(hz, 1, "Hz"), hz != null && wanted && hz < 0.95 * wanted],
    ["Jitter", number(jitter, 1, "ms"), false],
    ["Input to action", number(latency, 1, "ms"), latency > 200],
    ["Network, both ways", number(rtt, 1, "ms"), rtt > 150],
  ];
  rows(at("pace"), figures, (place, [name, value, bad]) => {
    while (place.children.length < 2) place.append(document.createElement(place.children.length ? "dd" : "dt"));
    write(place.children[0], name);
    write(place.children[1], bad ? `${value}, slow` : value);
    place.className = bad ? "bad" : "";
  });
}

// What is pressed and what it does, with every key drawn as one.
export function bindings(list) {
  const made = [];
  let device;
  for (const binding of list) {
    if (binding.device && binding.device !== device) {
      device = binding.device;
      made.push(Object.assign(document.createElement("h3"), { textContent: capital(plain(device)) }));
    }
    const caps = Object.assign(document.createElement("span"), { className: "caps" });
    caps.append(...binding.keys.split(" / ").map(cap));
    const row = document.createElement("div");
    row.append(caps, Object.assign(document.createElement("span"), { textContent: binding.does }));
    made.push(row);
  }
  at("bindings").replaceChildren(...made);
}
