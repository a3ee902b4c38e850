// Flat pictures in the room around the operator: each is a canvas, drawn with WebGL2 for both eyes.

const VERTEX = `#version 300 es
in vec2 corner;
uniform mat4 projection, view, model;
uniform vec2 size;
out vec2 at;
void main() {
  at = vec2(corner.x + 0.5, 0.5 - corner.y);
  gl_Position = projection * view * model * vec4(corner * size, 0.0, 1.0);
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec2 at;
uniform sampler2D picture;
out vec4 colour;
void main() { colour = texture(picture, at); }`;

export class Panels {
  constructor(gl) {
    this.gl = gl;
    this.panels = new Map();
    this.program = link(gl);
    this.place = Object.fromEntries(["projection", "view", "model", "size"].map((name) => [name, gl.getUniformLocation(this.program, name)]));
    const corners = gl.createBuffer();
    this.shape = gl.createVertexArray();
    gl.bindVertexArray(this.shape);
    gl.bindBuffer(gl.ARRAY_BUFFER, corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(this.program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
  }

  // Puts up a panel, or moves it. `model` is a column-major 4x4 pose, `width` in metres; the height follows the canvas.
  set(name, canvas, model, width) {
    const { gl } = this;
    const old = this.panels.get(name);
    this.panels.set(name, { canvas, model, width, texture: old?.texture ?? gl.createTexture(), fresh: true });
  }

  show(name, shown) {
    const panel = this.panels.get(name);
    if (panel) panel.hidden = !shown;
  }

  // The canvas of a panel was drawn anew.
  touch(name) {
    const panel = this.panels.get(name);
    if (panel) panel.fresh = true;
  }

  draw(layer, views, clear) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
    gl.clearColor(...clear);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(this.program);
    gl.bindVertexArray(this.shape);
    gl.enable(gl.DEPTH_TEST);
    for (const panel of this.panels.values()) if (panel.fresh) this.upload(panel);
    for (const view of views) {
      const { x, y, width, height } = layer.getViewport(view);
      gl.viewport(x, y, width, height);
      gl.uniformMatrix4fv(this.place.projection, false, view.projectionMatrix);
      gl.uniformMatrix4fv(this.place.view, false, view.transform.inverse.matrix);
      for (const { canvas, model, width: wide, texture, hidden } of this.panels.values()) {
        if (hidden) continue;
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.uniformMatrix4fv(this.place.model, false, model);
        gl.uniform2f(this.place.size, wide, (wide * canvas.height) / canvas.width);
        gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
      }
    }
  }

  upload(panel) {
    const { gl } = this;
    panel.fresh = false;
    gl.bindTexture(gl.TEXTURE_2D, panel.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, panel.canvas);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }
}

function link(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  return program;
}

// A pose that looks back at the operator: `away` metres from the head towards `side` (rad, to the left positive) from
// where it looks, `up` metres above the eyes. Column-major.
export function facing({ position, yaw }, away, side, up) {
  const angle = yaw + side;
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const x = position.x - sine * away;
  const z = position.z - cosine * away;
  return new Float32Array([cosine, 0, -sine, 0, 0, 1, 0, 0, sine, 0, cosine, 0, x, position.y + up, z, 1]);
}

// Brings a point into the frame of such a pose.
export function inside(model, [x, y, z]) {
  const from = [x - model[12], y - model[13], z - model[14]];
  const along = (axis) => from[0] * model[4 * axis] + from[1] * model[4 * axis + 1] + from[2] * model[4 * axis + 2];
  return [along(0), along(1), along(2)];
}

// How far the head is turned about the vertical (rad, to the left positive).
export function yawOf({ x, y, z, w }) {
  return Math.atan2(2 * (x * z + w * y), 1 - 2 * (x * x + y * y));
}
