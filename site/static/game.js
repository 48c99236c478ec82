// The game of notebook 00 on one axis, number for number: the same seed gives the same random
// numbers as PyTorch, so the same weights and the same batches. game_page.js draws it.

const BATCH = 256;
const MEANS = [-1.5, 1.5];
const SPREAD = 0.5;
const SIZES = [1, 32, 32, 1]; // one number in, two layers of 32 with tanh, one number out

const sigmoid = (t) => 1 / (1 + Math.exp(-t));

// PyTorch's random numbers on a CPU: the Mersenne Twister (Matsumoto and Nishimura, 1998), and
// how PyTorch makes float32 numbers of its 32 bits.
class Random {
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed;
    for (let i = 1; i < 624; i++) {
      const before = this.state[i - 1];
      this.state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    this.place = 624;
  }

  bits() {
    const state = this.state;
    if (this.place === 624) {
      for (let i = 0; i < 624; i++) {
        const joined = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
        state[i] = state[(i + 397) % 624] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
      }
      this.place = 0;
    }
    let y = state[this.place++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  uniform() {
    return (this.bits() & 0xffffff) / 2 ** 24; // from 0 to below 1
  }

  // Box and Muller's way from two uniform numbers to two normal ones, in PyTorch's groups of 16.
  normal(count) {
    const numbers = Float64Array.from({ length: count }, () => this.uniform());
    for (let group = 0; group < count; group += 16) {
      for (let i = group; i < group + 8; i++) {
        const radius = Math.sqrt(-2 * Math.log(1 - numbers[i]));
        const angle = 2 * Math.PI * numbers[i + 8];
        numbers[i] = radius * Math.cos(angle);
        numbers[i + 8] = radius * Math.sin(angle);
      }
    }
    return numbers;
  }
}

// A network that is a curve, its gradient, and its Adam.
class Curve {
  constructor(random, rate) {
    this.rate = rate;
    this.layers = [];
    let count = 0;
    for (let l = 1; l < SIZES.length; l++) {
      const [inputs, outputs] = [SIZES[l - 1], SIZES[l]];
      const bias = count + inputs * outputs; // weights (outputs, inputs) stand before it
      this.layers.push({ inputs, outputs, weight: count, bias });
      count = bias + outputs;
    }
    this.values = new Float64Array(count);
    for (const { inputs, weight, bias, outputs } of this.layers) {
      const limit = 1 / Math.sqrt(inputs); // as PyTorch's Linear begins
      for (let i = weight; i < bias + outputs; i++) {
        this.values[i] = (2 * random.uniform() - 1) * limit;
      }
    }
    [this.gradient, this.mean, this.square] = [0, 0, 0].map(() => new Float64Array(count));
    this.steps = 0;
  }

  // Return the outputs for numbers x, and keep what each layer made of them.
  forward(x) {
    const rows = x.length;
    this.kept = [x];
    this.layers.forEach(({ inputs, outputs, weight, bias }, l) => {
      const [before, after] = [this.kept[l], new Float64Array(rows * outputs)];
      for (let row = 0; row < rows; row++) {
        for (let o = 0; o < outputs; o++) {
          let sum = this.values[bias + o];
          for (let i = 0; i < inputs; i++) {
            sum += this.values[weight + o * inputs + i] * before[row * inputs + i];
          }
          after[row * outputs + o] = l < this.layers.length - 1 ? Math.tanh(sum) : sum;
        }
      }
      this.kept.push(after);
    });
    return this.kept.at(-1);
  }

  // Add to `gradient` what the slopes of a loss by the outputs say; return its slopes by x.
  backward(slopes) {
    const rows = slopes.length;
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const { inputs, outputs, weight, bias } = this.layers[l];
      const [before, by] = [this.kept[l], new Float64Array(rows * inputs)];
      for (let row = 0; row < rows; row++) {
        for (let o = 0; o < outputs; o++) {
          const slope = slopes[row * outputs + o];
          this.gradient[bias + o] += slope;
          for (let i = 0; i < inputs; i++) {
            const w = weight + o * inputs + i;
            this.gradient[w] += slope * before[row * inputs + i];
            by[row * inputs + i] += slope * this.values[w];
          }
        }
      }
      if (l > 0) {
        for (let i = 0; i < by.length; i++) by[i] *= 1 - before[i] ** 2; // through tanh
      }
      slopes = by;
    }
    return slopes;
  }

  // One step of Adam, with the course's 0.5 and 0.999.
  step() {
    this.steps += 1;
    const [a, b] = [1 - 0.5 ** this.steps, 1 - 0.999 ** this.steps];
    this.gradient.forEach((g, i) => {
      this.mean[i] += 0.5 * (g - this.mean[i]);
      this.square[i] += 0.001 * (g * g - this.square[i]);
      this.values[i] -= (this.rate * this.mean[i]) / a / (Math.sqrt(this.square[i] / b) + 1e-8);
    });
    this.gradient.fill(0);
  }
}

class Game {
  constructor(rateD = 0.02, rateG = 0.002, seed = 0) {
    this.random = new Random(seed);
    this.g = new Curve(this.random, rateG);
    this.d = new Curve(this.random, rateD);
  }

  drawReal() {
    const modes = Array.from({ length: BATCH }, () => MEANS[this.random.bits() % 2]);
    return this.random.normal(BATCH).map((x, i) => modes[i] + SPREAD * x);
  }

  moveD() {
    const fake = this.g.forward(this.random.normal(BATCH));
    const real = this.drawReal();
    this.d.backward(this.d.forward(real).map((t) => (sigmoid(t) - 1) / BATCH)); // of -log D(x)
    this.d.backward(this.d.forward(fake).map((t) => sigmoid(t) / BATCH)); // of -log(1 - D(G(z)))
    this.d.step();
  }

  moveG() {
    const fake = this.g.forward(this.random.normal(BATCH));
    this.g.backward(this.slopes(fake).map((slope) => slope / BATCH));
    this.g.step();
  }

  // The slope of -log D(x) at numbers x, for G; D's own gradient is not of interest here.
  slopes(x) {
    const slopes = this.d.backward(this.d.forward(x).map((t) => sigmoid(t) - 1));
    this.d.gradient.fill(0);
    return slopes;
  }
}
