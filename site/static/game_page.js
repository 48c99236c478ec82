// The page "The game": buttons and sliders for a Game of game.js, and its picture.

const board = document.getElementById("game");
const svg = board.querySelector("svg");
const find = (id) => document.getElementById(id);
const evenly = (low, high, count) =>
  Float64Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));

const LIMIT = 4; // x is shown from -4 to 4
const BINS = 80;
const WIDTH = (2 * LIMIT) / BINS;
const MIDDLES = evenly(-LIMIT + WIDTH / 2, LIMIT - WIDTH / 2, BINS);
const normal = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const REAL = MIDDLES.map(
  (x) => MEANS.reduce((sum, mean) => sum + normal((x - mean) / SPREAD) / SPREAD, 0) / MEANS.length,
);
const Z = evenly(-4, 4, 2001); // for G's density, each with the weight of its place
const [Z_LIMIT, SHOWN_Z, ARROWS] = [2.3, evenly(-2.3, 2.3, 50), evenly(-2.2, 2.2, 16)];

let game;

// The density of G's numbers, a number for each bin.
function density() {
  const bins = new Float64Array(BINS);
  game.g.forward(Z).forEach((x, i) => {
    const bin = Math.floor((x + LIMIT) / WIDTH);
    if (bin >= 0 && bin < BINS) bins[bin] += (normal(Z[i]) * (Z[1] - Z[0])) / WIDTH;
  });
  return bins;
}

function draw() {
  const width = Math.max(svg.clientWidth, 200);
  const [left, upper, lower, gap] = [34, 200, 130, 16]; // in pixels: the margin, and two panels
  const bottom = upper + gap + lower;
  const across = (x) => (left + ((x + LIMIT) / (2 * LIMIT)) * (width - left)).toFixed(1);
  const up = (y) => (upper - (upper - 4) * Math.min(y, 1.05) / 1.05).toFixed(1);
  const at = (z) => (bottom - (lower * (z + Z_LIMIT)) / (2 * Z_LIMIT)).toFixed(1);
  const line = (xs, ys, height) =>
    "M" + Array.from(xs, (x, i) => `${across(x)},${height(ys[i])}`).join("L");
  const filled = (ys) => `${line(MIDDLES, ys, up)}V${upper}H${across(MIDDLES[0])}Z`;
  const label = (x, y, text, anchor) => {
    const shown = String(text).replace("-", "−");
    return `<text x="${x}" y="${y}" text-anchor="${anchor}">${shown}</text>`;
  };

  const fake = density();
  const numbers = game.g.forward(ARROWS);
  const pulls = game.slopes(numbers).map((slope) => Math.max(-1, Math.min(1, -slope)));
  const arrows = Array.from(numbers, (x, i) => {
    const [tip, y, back] = [x + pulls[i], at(ARROWS[i]), -4 * Math.sign(pulls[i])];
    return `M${across(x)},${y}H${across(tip)}m${back},-3l${-back},3l${back},3`;
  });
  svg.setAttribute("viewBox", `0 0 ${width} ${bottom + 22}`);
  svg.innerHTML = `
    <clipPath id="inside"><rect x="${left}" width="${width - left}" height="${bottom}"/></clipPath>
    <g class="frame">
      <path d="M${left},4V${upper}H${width}M${left},${upper + gap}V${bottom}H${width}"/>
      ${[0, 0.5, 1].map((y) => label(left - 6, +up(y) + 4, y, "end")).join("")}
      ${[-2, 0, 2].map((z) => label(left - 6, +at(z) + 4, z, "end")).join("")}
      ${[-3, -1.5, 0, 1.5, 3].map((x) => label(across(x), bottom + 16, x, "middle")).join("")}
      ${label(left + 6, 14, "D(x), and density", "start")}
      ${label(left + 6, upper + gap + 12, "z", "start")}
      ${label(width - 2, bottom + 16, "x", "end")}
    </g>
    <g clip-path="url(#inside)">
      <path class="real area" d="${filled(REAL)}"/>
      <path class="fake area" d="${filled(fake)}"/>
      <path class="d" d="${line(MIDDLES, game.d.forward(MIDDLES).map(sigmoid), up)}"/>
      <path class="fake" d="${arrows.join("")}"/>
      <path class="g" d="${line(game.g.forward(SHOWN_Z), SHOWN_Z, at)}"/>
    </g>`;
}

// Say in words what the picture shows, for those who do not see it, too.
function tell() {
  const fake = density();
  const share = (low, high) => {
    const inside = fake.filter((_, i) => MIDDLES[i] > low && MIDDLES[i] < high);
    return Math.round(100 * WIDTH * inside.reduce((a, b) => a + b));
  };
  find("state").textContent =
    `Half steps: ${game.d.steps} of D, ${game.g.steps} of G. ` +
    `Of G's numbers, ${share(-2.5, -0.5)}% lie near −1.5, ${share(-0.5, 0.5)}% in the middle, ` +
    `${share(0.5, 2.5)}% near 1.5.`;
}

const rate = (id) => Number((10 ** find(id).value).toPrecision(2)); // as it is shown

function changeRates() {
  for (const [id, player] of [["rate-d", game.d], ["rate-g", game.g]]) {
    player.rate = rate(id);
    find(id).nextElementSibling.textContent = player.rate;
  }
}

function begin() {
  game = new Game(rate("rate-d"), rate("rate-g"), find("seed").valueAsNumber >>> 0);
  changeRates();
  draw();
  tell();
}

// Take steps, D first, and show each; what is pressed meanwhile waits for its turn.
let turn = Promise.resolve();
function play(d, g) {
  turn = turn.then(async () => {
    for (let step = 0; step < Math.max(d, g); step++) {
      if (step < d) game.moveD();
      if (step < g) game.moveG();
      draw();
      await new Promise(requestAnimationFrame);
    }
    tell();
  });
}

for (const button of board.querySelectorAll("[data-d], [data-g]")) {
  button.onclick = () => play(Number(button.dataset.d ?? 0), Number(button.dataset.g ?? 0));
}
for (const id of ["rate-d", "rate-g"]) find(id).oninput = changeRates;
find("new").onclick = () => { turn = turn.then(begin); };
new ResizeObserver(draw).observe(svg);
begin();
