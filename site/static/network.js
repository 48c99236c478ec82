// A generator of the course in plain JavaScript: a latent vector in, 32x32 gray levels out.
// weights.js, which export.py writes, holds the weights as float16 in base64, since a page that is
// opened from a folder may load scripts, but no binary files. generator_page.js draws with it.

const KERNEL = 4;

// The bits of a float16, as a number; the weights have neither infinities nor NaN.
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14);
}

function numbersOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return Float32Array.from(new Uint16Array(bytes.buffer), fromHalf);
}

class Generator {
  // `widths` are the numbers of feature maps, from those of z to those of the image. Each layer's
  // weights are (in, 4, 4, out), followed by a bias (out,): the batch norm behind it, folded in.
  constructor({ widths, base64 }) {
    const numbers = numbersOf(base64);
    let place = 0;
    this.layers = widths.slice(1).map((outputs, l) => {
      const bias = place + widths[l] * KERNEL * KERNEL * outputs;
      const layer = {
        weights: numbers.subarray(place, bias),
        bias: numbers.subarray(bias, bias + outputs),
        stride: l ? 2 : 1, // 1x1 to 4x4 first, then twice the size each time
        padding: l ? 1 : 0,
      };
      place = bias + outputs;
      return layer;
    });
    this.inputs = widths[0];
  }

  // Return the image of a latent vector, row by row, from -1 (black) to 1 (white).
  draw(z) {
    let maps = Float32Array.from(z);
    let side = 1;
    this.layers.forEach((layer, l) => {
      [maps, side] = upsample(maps, side, layer);
      const last = l === this.layers.length - 1;
      maps = maps.map(last ? Math.tanh : (value) => (value > 0 ? value : 0));
    });
    return maps;
  }
}

// A transposed convolution: each pixel stamps its weighted kernel onto a larger image, as notebook
// 01 draws it. Maps are (side, side, channels), so that the innermost loop runs along memory.
function upsample(maps, side, { weights, bias, stride, padding }) {
  const [inputs, outputs] = [maps.length / side ** 2, bias.length];
  const larger = (side - 1) * stride - 2 * padding + KERNEL;
  const result = new Float32Array(larger * larger * outputs);
  for (let start = 0; start < result.length; start += outputs) result.set(bias, start);
  for (let pixel = 0; pixel < side * side; pixel++) {
    const top = Math.floor(pixel / side) * stride - padding;
    const left = (pixel % side) * stride - padding;
    for (let channel = 0; channel < inputs; channel++) {
      const value = maps[pixel * inputs + channel];
      if (value === 0) continue; // about half are, after ReLU
      for (let tap = 0; tap < KERNEL * KERNEL; tap++) {
        const [y, x] = [top + (tap >> 2), left + (tap & 3)];
        if (y < 0 || y >= larger || x < 0 || x >= larger) continue; // the padding cuts it off
        const from = (channel * KERNEL * KERNEL + tap) * outputs;
        const to = (y * larger + x) * outputs;
        for (let o = 0; o < outputs; o++) result[to + o] += value * weights[from + o];
      }
    }
  }
  return [result, larger];
}
