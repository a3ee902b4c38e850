// The sign over the page while nothing comes from the server.

const at = (id) => document.getElementById(id);
let why = "";

export function opened() {
  document.body.dataset.link = "open";
  why = "";
  at("lost").hidden = true;
}

// `reason` is the server's; attempts to connect again that fail have none, and the first one stays.
export function closed(reason) {
  document.body.dataset.link = "closed";
  why ||= reason;
  if (why === "the session has ended") show("The session has ended", "What was saved is on disk. This page comes back if the session is started again at the same address.");
  else show("Connection lost", `${why ? `The server says: ${why}. ` : ""}The robot stands still. Connecting again; if the session was restarted, open the address that its terminal prints.`);
}

// `ms` without a word on a connection that is open; 0 as soon as there is one.
export function silent(ms) {
  at("lost").hidden = !ms;
  if (ms) show("No answer", `The server has been silent for ${Math.round(ms / 1000)} s. The robot stands still until it is heard again.`);
}

function show(title, text) {
  at("lost").hidden = false;
  for (const [id, words] of [["lost-title", title], ["lost-text", text]]) {
    if (at(id).textContent !== words) at(id).textContent = words;
  }
}
