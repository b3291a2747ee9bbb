/** `special.gamma` to four units in the last place, on both devices, from its poles to its overflow. */

import { grad, jit, np, special, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
import { describe, expect, it } from 'vitest';
import { referenceDevice } from '../../backends/reference/device.ts';
import values from '../fixtures/gamma.json' with { type: 'json' };

const rows = values.map(([x, y]) => [x!, y!] as const);
const devices = [wasmDevice(), referenceDevice()].map((device) => [device.name, device] as const);

/** A unit in the last place of a number of this dtype. */
const unit = (y: number, dtype: 'float32' | 'float64'): number => {
  const [digits, least] = dtype === 'float32' ? [23, -149] : [52, -1074];
  return 2 ** Math.max(Math.floor(Math.log2(Math.abs(y))) - digits, least);
};

describe.each(devices)('on %s', (_, device) => {
  it.each(['float32', 'float64'] as const)('%s has all but two bits', (dtype) => {
    const xs = np.array(
      rows.map(([x]) => x),
      { dtype },
    );
    for (const f of [special.gamma, jit(special.gamma)]) {
      const found = withDefaultDevice(device, () => f(xs).dataSync());
      rows.forEach(([x, y], i) => {
        const wanted = dtype === 'float32' ? Math.fround(y) : y;
        if (Number.isFinite(wanted))
          expect(Math.abs(found[i]! - y), `Γ(${x}) = ${y}, not ${found[i]}`).toBeLessThanOrEqual(4 * unit(y, dtype));
        else expect(found[i], `Γ(${x})`).toBe(wanted);
      });
    }
  });

  it('whole numbers have exact factorials as long as their dtype has', () => {
    const factorials = (count: number): number[] => {
      const all = [1];
      for (let n = 1; n < count; n++) all.push(all[n - 1]! * n);
      return all;
    };
    withDefaultDevice(device, () => {
      expect(special.factorial(np.arange(14)).toArray()).toEqual(factorials(14));
      expect(special.factorial(np.arange(23, { dtype: 'float64' })).toArray()).toEqual(factorials(23));
    });
  });

  it('corners', () => {
    withDefaultDevice(device, () => {
      for (const dtype of ['float32', 'float64'] as const) {
        const xs = [0, -0, -1, -2, -30, 1e30, -1e30, Infinity, -Infinity, NaN, -1000.5, 2];
        expect(special.gamma(np.array(xs, { dtype })).toArray()).toEqual(
          // Beyond the last bit after the point all floats are whole, and poles.
          [Infinity, -Infinity, NaN, NaN, NaN, Infinity, NaN, Infinity, NaN, NaN, -0, 1],
        );
      }
      expect(special.gamma(np.zeros([0, 3])).shape).toEqual([0, 3]);
    });
  });

  it('Γ′ = Γ·ψ, and so on', () => {
    withDefaultDevice(device, () => {
      const f = (x: Tensor<'float64'>): Tensor<'float64'> => np.sum(special.gamma(x)) as Tensor<'float64'>;
      const slope = (x: Tensor<'float64'>): Tensor<'float64'> => grad(f)(x);
      const curvature = (x: Tensor<'float64'>): Tensor<'float64'> =>
        grad((v: Tensor<'float64'>) => np.sum(slope(v)) as Tensor<'float64'>)(x);
      const at = np.array([0.5, 1, 4.5, -1.5, 30], { dtype: 'float64' });
      // mpmath.diff(mpmath.gamma, x, n)
      const first = [
        -3.480230906913262, -0.5772156649015329, 16.15496939330307, 1.6617502606685965, 2.992439645174224e31,
      ];
      const second = [
        15.580177442406253, 1.978111990655945, 25.330270150544695, 23.334179843554573, 1.0157696050532243e32,
      ];
      slope(at)
        .dataSync()
        .forEach((y, i) => expect(y / first[i]!).toBeCloseTo(1, 12));
      curvature(at)
        .dataSync()
        .forEach((y, i) => expect(y / second[i]!).toBeCloseTo(1, 12));
    });
  });
});
