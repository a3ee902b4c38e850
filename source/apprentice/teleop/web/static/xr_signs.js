// What the panels in the headset say, drawn on canvases.

import { MARKS, describe, plain, seconds } from "/static/words.js";
import { AIR_BUTTONS } from "/static/xr_input.js";

const COLOURS = { waiting: "#4c555e", ready: "#14625e", countdown: "#8a4b08", recording: "#a81f18", paused: "#f2c14e", rewinding: "#494db0", saved: "#1d6b3a", discarded: "#4c555e" };
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export class Signs {
  constructor() {
    this.banner = Object.assign(document.createElement("canvas"), { width: 1024, height: 288 });
    this.buttons = Object.assign(document.createElement("canvas"), { width: 384, height: 384 });
    this.lastBanner = this.lastButtons = null;
  }

  // Draws the banner; true if it is different from before.
  drawBanner(status, context, lost) {
    const { state, title, text } = lost
      ? { state: "waiting", title: "Connection lost", text: "The robot stands still. Connecting again." }
      : describe(status, context);
    const { success, held, held_steps: wanted, saved, wanted: goal } = status;
    const number = state === "countdown" ? String(Math.ceil(status.countdown_s ?? 0)) : ["recording", "paused", "rewinding"].includes(state) ? seconds(status.seconds) : "";
    const foot = [
      success ? `Success ✓ ${held >= wanted ? "held" : `${held} of ${wanted}`}` : progress(status.subtasks),
      goal ? `${saved ?? 0} of ${goal} saved` : `${saved ?? 0} saved`,
    ];
    const now = JSON.stringify([state, title, text, number, foot]);
    if (now === this.lastBanner) return false;
    this.lastBanner = now;
    const pen = this.banner.getContext("2d");
    const { width, height } = this.banner;
    pen.fillStyle = COLOURS[state] ?? COLOURS.waiting;
    pen.fillRect(0, 0, width, height);
    const ink = state === "paused" ? "#241a00" : "#ffffff";
    pen.fillStyle = ink;
    pen.textBaseline = "alphabetic";
    pen.font = `700 76px ${FONT}`;
    pen.fillText(`${MARKS[state] ?? ""}  ${title}`, 36, 92, 700);
    pen.textAlign = "right";
    pen.font = `700 ${state === "countdown" ? 120 : 72}px ${FONT}`;
    pen.fillText(number, width - 36, state === "countdown" ? 118 : 92);
    pen.textAlign = "left";
    pen.font = `400 36px ${FONT}`;
    wrap(pen, text.replace(/[[\]]/g, ""), 36, 148, width - 72, 42);
    pen.fillStyle = "#14181b";
    pen.fillRect(0, height - 58, width, 58);
    pen.fillStyle = success ? "#7fe0ac" : "#e9e7e3";
    pen.font = `600 34px ${FONT}`;
    pen.fillText(foot[0], 36, height - 17, 640);
    pen.fillStyle = "#e9e7e3";
    pen.textAlign = "right";
    pen.fillText(foot[1], width - 36, height - 17);
    pen.textAlign = "left";
    return true;
  }

  // Draws the buttons in the air; `values` are those of the virtual controller.
  drawButtons(values) {
    const now = JSON.stringify(values);
    if (now === this.lastButtons) return false;
    this.lastButtons = now;
    const pen = this.buttons.getContext("2d");
    const { width, height } = this.buttons;
    const tall = height / AIR_BUTTONS.length;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = `600 46px ${FONT}`;
    AIR_BUTTONS.forEach(({ label, button }, row) => {
      pen.fillStyle = values[button] ? "#3fb8a6" : "#1a1e21";
      pen.fillRect(0, row * tall, width, tall);
      pen.strokeStyle = "#a3acb5";
      pen.lineWidth = 4;
      pen.strokeRect(6, row * tall + 6, width - 12, tall - 12);
      pen.fillStyle = values[button] ? "#08221f" : "#ffffff";
      pen.fillText(label, width / 2, (row + 0.5) * tall, width - 30);
    });
    return true;
  }
}

// How far an episode is: what was done, and what comes next.
function progress(subtasks = []) {
  const open = subtasks.filter(({ done, marked }) => !done && marked == null);
  if (!open.length) return "No success yet";
  const [{ signal, object }] = open;
  const next = plain(signal ?? (object ? `finish with ${object}` : "finish"));
  return `${subtasks.length - open.length} of ${subtasks.length} done, next: ${next}`;
}

function wrap(pen, text, x, y, width, line) {
  let row = "";
  for (const word of text.split(" ")) {
    const longer = row ? `${row} ${word}` : word;
    if (row && pen.measureText(longer).width > width) {
      pen.fillText(row, x, y);
      [row, y] = [word, y + line];
    } else row = longer;
  }
  pen.fillText(row, x, y);
}
