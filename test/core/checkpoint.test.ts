/** Rematerialisation: what is kept, what is computed again, and that no pass undoes it. */

import * as E from 'fp-ts/lib/Either.js';
import {
  checkpoint,
  checkpointName,
  checkpointPolicies,
  debug,
  grad,
  type Jaxpr,
  jit,
  makeJaxpr,
  nn,
  np,
  optimize,
  peakLiveBytes,
  scan,
  showJaxpr,
  type Tensor,
  valueAndGrad,
  vmap,
} from 'pullback';
import { decodeJaxpr, encodeJaxpr, primitives } from 'pullback/io';
import { describe, expect, test } from 'vitest';
import { makeAval } from '../../src/core/aval.ts';

/** Multiplications and additions of all matrix products of a program. */
const dotFlops = (jaxpr: Jaxpr): number =>
  jaxpr.eqns.reduce((sum, { primitive, params, ins, outs }) => {
    if (primitive.name !== 'dot_general') return sum;
    const { lhsContracting } = params as { readonly lhsContracting: readonly number[] };
    const depth = lhsContracting.reduce((n, axis) => n * ins[0]!.aval.shape[axis]!, 1);
    return sum + 2 * depth * outs[0]!.aval.size;
  }, 0);

const counts = (jaxpr: Jaxpr, name: string): number => jaxpr.eqns.filter((eqn) => eqn.primitive.name === name).length;

const optimized = (f: (...args: never[]) => unknown, ...args: unknown[]): Jaxpr =>
  optimize((makeJaxpr(f as (...args: unknown[]) => unknown)(...args) as { readonly jaxpr: Jaxpr }).jaxpr);

describe('24 blocks x + dense(gelu(dense(x))), 256 → 1024 → 256, batch 1024', () => {
  const dense = (n: number, m: number) => ({ w: makeAval([n, m], 'float32'), b: makeAval([m], 'float32') });
  const layers = Array.from({ length: 24 }, () => ({ up: dense(256, 1024), down: dense(1024, 256) }));
  type Dense = { readonly w: Tensor; readonly b: Tensor };
  type Layer = { readonly up: Dense; readonly down: Dense };
  const apply = ({ w, b }: Dense, x: Tensor): Tensor => np.add(np.matmul(x, w), b);
  const block = (p: Layer, x: Tensor): Tensor => np.add(x, apply(p.down, nn.gelu(apply(p.up, x))));
  const gradientOf = (one: typeof block): Jaxpr => {
    const loss = (ps: readonly Layer[], x: Tensor): Tensor => np.mean(np.square(ps.reduce((y, p) => one(p, y), x)));
    return optimized(grad(loss) as never, layers, makeAval([1024, 256], 'float32'));
  };

  test('a third of the memory for 1.4 times the products, at most', () => {
    const plain = gradientOf(block);
    const saving = gradientOf(checkpoint(block));
    const memory = peakLiveBytes(plain) / peakLiveBytes(saving);
    const work = dotFlops(saving) / dotFlops(plain);
    expect(memory).toBeGreaterThanOrEqual(3);
    expect(work).toBeLessThanOrEqual(1.4);
    expect([peakLiveBytes(plain), peakLiveBytes(saving), memory, work]).toMatchInlineSnapshot(`
      [
        850395136,
        94371840,
        9.011111111111111,
        1.167832167832168,
      ]
    `);
  });

  test('with the products saved, none is done again', () => {
    const plain = gradientOf(block);
    const saving = gradientOf(checkpoint(block, { policy: checkpointPolicies.dotsSaveable }));
    expect(dotFlops(saving)).toBe(dotFlops(plain));
    expect(peakLiveBytes(saving)).toBeLessThan(peakLiveBytes(plain));
  });
});

describe('what is computed again', () => {
  const f = (x: Tensor): Tensor => np.sum(np.sin(np.exp(np.cos(x))));
  const x = np.array([1, 2, 3]);

  test('barriers survive jit(grad(f)) with every pass on', () => {
    expect(showJaxpr(optimized(jit(valueAndGrad(checkpoint(f))) as never, x))).toMatchInlineSnapshot(`
      "{ lambda ; a:f32[3]. let
        b:f32[3] = cos a
        c:f32[3] = exp b
        d:f32[3] = sin c
        e:f32[] = reduce_sum[axes=(0)] d
        f:f32[3] g:f32[] = optimization_barrier a 1:f32[]
        h:f32[3] = cos f
        i:f32[3] = sin f
        j:f32[3] = exp h
        k:f32[3] = cos j
        l:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] g
        m:f32[3] = mul l k
        n:f32[3] = mul m j
        o:f32[3] = neg n
        p:f32[3] = mul o i
      in (e, p) }"
    `);
  });

  test('taps survive, and are shown once', () => {
    const seen: unknown[] = [];
    const watched = checkpoint((y: Tensor) =>
      np.sum(np.sin(debug.callback((z: Tensor) => seen.push(z.toArray()), np.exp(y)))),
    );
    expect(showJaxpr(optimized(jit(valueAndGrad(watched)) as never, x))).toMatchInlineSnapshot(`
      "{ lambda ; a:f32[3]. let
        b:f32[3] = exp a
        c:f32[3] = tap[deliver=delivery label=] b
        d:f32[3] = sin c
        e:f32[] = reduce_sum[axes=(0)] d
        f:f32[3] g:f32[] = optimization_barrier a 1:f32[]
        h:f32[3] = exp f
        i:f32[3] = cos h
        j:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] g
        k:f32[3] = mul j i
        l:f32[3] = mul k h
      in (e, l) }"
    `);
    jit(grad(watched))(np.array([0, 0]));
    expect(seen).toEqual([[1, 1]]);
  });

  test('policies: by primitive, and by name', () => {
    const g = (y: Tensor): Tensor => np.sum(np.sin(checkpointName(np.exp(checkpointName(np.cos(y), 'cos')), 'exp')));
    const again = (
      policy: (typeof checkpointPolicies)['nothingSaveable' | 'everythingSaveable'],
    ): readonly number[] => {
      const jaxpr = optimized(valueAndGrad(checkpoint(g, { policy: policy as never })) as never, x);
      return ['exp', 'cos'].map((name) => counts(jaxpr, name));
    };
    // cos twice at least: it is also the derivative of the sine.
    expect(again(checkpointPolicies.everythingSaveable)).toEqual([1, 2]);
    expect(again(checkpointPolicies.nothingSaveable)).toEqual([2, 3]);
    expect(again(checkpointPolicies.saveOnlyTheseNames('cos') as never)).toEqual([2, 2]);
    expect(again(checkpointPolicies.saveOnlyTheseNames('exp', 'cos') as never)).toEqual([1, 2]);
  });

  test('in a scan: one step of the body is computed again at a time', () => {
    const body = (carry: Tensor, y: Tensor): [Tensor, null] => [np.sin(np.exp(np.mul(carry, y))), null];
    const loss = (step: typeof body) => (y: Tensor) => scan(step, np.array(0.5), y)[0];
    const ys = np.array([0.1, 0.2, 0.3]);
    const [plain, saving] = [grad(loss(body))(ys), grad(loss(checkpoint(body)))(ys)];
    expect(saving.toArray()).toEqual(plain.toArray());
    const peaks = [body, checkpoint(body)].map((step) =>
      peakLiveBytes(optimized(grad(loss(step)) as never, np.zeros([1000]))),
    );
    expect(peaks[1]!).toBeLessThan(peaks[0]!);
  });

  test('what is closed over is differentiated', () => {
    const outer = (a: Tensor): Tensor =>
      np.sum(vmap((y: Tensor) => checkpoint((z: Tensor) => np.mul(np.sin(z), a))(y))(x));
    const sum = [1, 2, 3].reduce((s, v) => s + Math.sin(v), 0);
    expect(grad(outer)(np.array(2)).item()).toBeCloseTo(sum, 6);
  });

  test('programs with it have a JSON', () => {
    const { jaxpr } = makeJaxpr(grad(checkpoint(f)))(x);
    const again = decodeJaxpr(primitives)(JSON.parse(JSON.stringify(encodeJaxpr(jaxpr))));
    expect(E.isRight(again) && showJaxpr(again.right)).toBe(showJaxpr(jaxpr));
  });
});
