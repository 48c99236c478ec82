// The page "The generator": buttons and sliders for the network of network.js.

const generator = new Generator(STORED.plain);
const writer = new Generator(STORED.conditional); // its last ten inputs say which digit
const DIRECTIONS = STORED.directions.map((row) => row.map((number) => number / 1000));
const find = (id) => document.getElementById(id);
const picture = document.querySelector("#generator canvas");

function randomLatent() {
  return Array.from({ length: generator.inputs }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random())); // Box and Muller
    return radius * Math.cos(2 * Math.PI * Math.random());
  });
}

// Draw a latent vector's image on a canvas; return the milliseconds that it took.
function paint(canvas, network, z) {
  const start = performance.now();
  const image = new ImageData(canvas.width, canvas.height);
  network.draw(z).forEach((value, pixel) => {
    const gray = 127.5 * (value + 1);
    image.data.set([gray, gray, gray, 255], 4 * pixel);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return performance.now() - start;
}

// One picture: z, moved along each direction by its slider.

const sliders = DIRECTIONS.map((_, k) => {
  const label = document.createElement("label");
  label.innerHTML = `direction ${k + 1} <input type="range" min="-4" max="4" step="0.1" value="0">`;
  document.querySelector("#generator .sliders").append(label);
  return label.querySelector("input");
});
let z = randomLatent();
const times = [];

function show() {
  const moved = z.map((number, i) =>
    sliders.reduce((sum, slider, k) => sum + slider.value * DIRECTIONS[k][i], number),
  );
  times.push(paint(picture, generator, moved));
  if (times.length === 20) {
    const median = times.sort((a, b) => a - b)[10];
    find("speed").textContent = `A picture takes ${median.toFixed(1)} ms on this machine.`;
    times.length = 0;
  }
}

// What stands at t between a and b on the great circle through both, as in notebook 09.
function greatCircle(a, b, t) {
  const [longA, longB] = [Math.hypot(...a), Math.hypot(...b)];
  const angle = Math.acos(a.reduce((sum, number, i) => sum + number * b[i], 0) / longA / longB);
  const length = (1 - t) * longA + t * longB;
  const [partA, partB] = [Math.sin((1 - t) * angle) / longA, Math.sin(t * angle) / longB];
  return a.map((number, i) => (length * (partA * number + partB * b[i])) / Math.sin(angle));
}

const SECONDS = 2.5; // from one z to the next
let walk = null; // or from which z to which, and when it began

function stroll(now) {
  if (!walk) return;
  const t = (now - walk.start) / 1000 / SECONDS;
  z = greatCircle(walk.from, walk.to, Math.min(Math.max(t, 0), 1));
  if (t >= 1) walk = { from: z, to: randomLatent(), start: now };
  show();
  requestAnimationFrame(stroll);
}

find("walk").onclick = ({ target }) => {
  walk = walk ? null : { from: z, to: randomLatent(), start: performance.now() };
  target.textContent = walk ? "stand still" : "walk";
  target.setAttribute("aria-pressed", Boolean(walk));
  requestAnimationFrame(stroll);
};
find("another").onclick = () => {
  z = randomLatent();
  if (walk) walk = { from: z, to: randomLatent(), start: performance.now() };
  show();
};
find("center").onclick = () => {
  for (const slider of sliders) slider.value = 0;
  show();
};
for (const slider of sliders) slider.oninput = show;

// A number, digit by digit, from one z: so it is written in one hand.

function write() {
  const digits = find("number").value.replace(/\D/g, "");
  const word = document.querySelector("#writer .word");
  word.setAttribute("aria-label", digits ? `${digits}, in the generator's hand` : "Nothing yet");
  const hand = randomLatent();
  word.replaceChildren(
    ...Array.from(digits, (digit) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 32 });
      const label = Array.from({ length: 10 }, (_, k) => Number(k === Number(digit)));
      paint(canvas, writer, [...hand, ...label]);
      return canvas;
    }),
  );
}
find("number").oninput = find("again").onclick = write;

show();
write();
