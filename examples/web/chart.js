// Curves on a canvas, one point per epoch.

/// Draws `curves` (`[{ color, values }]`) over epochs 0 to `epochs`. `axis`: `ticks`, a `label` for each, and `place`, which
/// maps a value to 0 (bottom) to 1 (top); values outside are clipped.
export function draw(canvas, curves, epochs, axis) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio;
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  const style = getComputedStyle(canvas);
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.font = `12px ${style.fontFamily}`;
  const [left, right, top, bottom] = [44, width - 14, 8, height - 22];
  const x = (epoch) => left + (right - left) * epoch / epochs;
  const y = (value) => bottom - (bottom - top) * axis.place(value);

  context.strokeStyle = color(canvas, "--line");
  context.fillStyle = color(canvas, "--faint");
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const tick of axis.ticks) {
    line(context, [[left, y(tick)], [right, y(tick)]]);
    context.fillText(axis.label(tick), left - 8, y(tick));
  }
  context.textBaseline = "alphabetic";
  context.textAlign = "center";
  for (let epoch = 0; epoch <= epochs; epoch += epochs / 4) {
    const label = epoch === epochs / 2 ? `epoch ${epoch}` : `${epoch}`;
    context.fillText(label, x(epoch), height - 4);
  }

  context.beginPath();
  context.rect(left, top - 4, right - left + 4, bottom - top + 8);
  context.clip();
  context.lineWidth = 2;
  context.lineJoin = "round";
  for (const curve of curves) {
    context.strokeStyle = context.fillStyle = color(canvas, curve.color);
    const points = curve.values.map((value, epoch) => [x(epoch), y(value)]);
    line(context, points);
    const last = points.at(-1);
    if (last) {
      context.beginPath();
      context.arc(...last, 3.5, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

/// A small greyscale picture of `size` × `size` values from 0 (paper) to 1 (ink).
export function picture(canvas, size, pixels) {
  [canvas.width, canvas.height] = [size, size];
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  pixels.forEach((ink, index) => image.data.set([0, 0, 0, 255].map((v, c) => c < 3 ? 255 * (1 - ink) : v), 4 * index));
  context.putImageData(image, 0, 0);
}

/// A custom property as the canvas understands it: `light-dark()` is worked out by the browser.
function color(canvas, name) {
  canvas.style.color = `var(${name})`;
  const value = getComputedStyle(canvas).color;
  canvas.style.color = "";
  return value;
}

function line(context, points) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  context.stroke();
}
