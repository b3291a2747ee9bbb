/** What can be asked of a program compiled ahead of time: its stages as text, its cost, and the time of its steps. */

import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import {
  type Device,
  evalShape,
  jit,
  lax,
  nn,
  np,
  referenceDevice,
  scan,
  type Tensor,
  wasmDevice,
  whileLoop,
  withDefaultDevice,
} from 'pullback';
import { expect, test } from 'vitest';
import { message } from '../errors/message.ts';

const device = wasmDevice();
const here = <A>(f: () => A): A => withDefaultDevice(device, f);
const float32 = (...shape: number[]) => evalShape(() => np.zeros(shape));
const dense = (x: Tensor, w: Tensor, b: Tensor): Tensor => nn.gelu(np.add(np.matmul(x, w), b));
const halving = (x: Tensor) =>
  scan((carry: Tensor, v: Tensor) => [np.add(np.mul(carry, 0.5), v), np.sin(carry)], np.zeros([4]), x);

test('a row cluster: softmax', () => {
  const program = here(() =>
    jit((x: Tensor) => nn.softmax(x))
      .lower(float32(8, 32))
      .compile(),
  );
  expect(program.text('plan')).toMatchInlineSnapshot(`
    "in0: f32[8,32], 1024 bytes
    out0: f32[8,32], 1024 bytes
    arena: 0 bytes
    0: nest0  in0[0:1024] -> out0[0:1024]"
  `);
  expect(program.text('loops')).toMatchInlineSnapshot(`
    "0: kernel nest0(v0: f32[256], v1: f32[256]) scratch row0: f32[32]
       parallel i < 8
         local r0: f32 = -Inf
         local r1: f32 = 0.0
         vector j < 32
           r0 max= v0[i * 32 + j]
         vector j < 32
           t0 = max(min(v0[i * 32 + j] - r0, 90.0), -104.0)
           t1 = madd(t0, 1.442695, 12583166.0)
           t2 = t1 - 12583166.0
           t3 = madd(t2, 0.00021219444, madd(t2, -0.6933594, t0))
           t4 = bits_i32(t1) >> 1
           r1 += (madd(madd(madd(madd(madd(0.0013821229, t3, 0.008368667), t3, 0.04166826), t3, 0.16666521), t3, 0.49999994), t3 * t3, t3) + 1.0) * bits_f32(t4 << 23) * bits_f32(bits_i32(t1) - t4 << 23)
           t5 = max(min(v0[i * 32 + j] - r0, 90.0), -104.0)
           t6 = madd(t5, 1.442695, 12583166.0)
           t7 = t6 - 12583166.0
           t8 = madd(t7, 0.00021219444, madd(t7, -0.6933594, t5))
           t9 = bits_i32(t6) >> 1
           row0[j] = (madd(madd(madd(madd(madd(0.0013821229, t8, 0.008368667), t8, 0.04166826), t8, 0.16666521), t8, 0.49999994), t8 * t8, t8) + 1.0) * bits_f32(t9 << 23) * bits_f32(bits_i32(t6) - t9 << 23)
         vector j < 32
           v1[i * 32 + j] = row0[j] / r1"
  `);
});

test('a product and its epilogue: dense, bias, gelu', () => {
  const program = here(() => jit(dense).lower(float32(64, 32), float32(32, 48), float32(48)).compile());
  expect(program.text('plan')).toMatchInlineSnapshot(`
    "in0: f32[64,32], 8192 bytes
    in1: f32[32,48], 6144 bytes
    in2: f32[48], 192 bytes
    out0: f32[64,48], 12288 bytes
    arena: 0 bytes
    0: contract f32 [64,32]·[32,48], epilogue0  in0[0:8192], in1[0:6144], in2[0:192] -> out0[0:12288]"
  `);
  expect(program.text('loops')).toMatchInlineSnapshot(`
    "0: contract f32 [64,32]·[32,48], epilogue0
       kernel epilogue0(v2: f32[48], v3: f32[3072])
       parallel i < 64
         vector j < 48
           t0 = v3[i * 48 + j] + v2[j]
           t1 = min(10.0, max(-10.0, t0))
           t2 = (t1 + t1 * (t1 * t1) * 0.044715) * 0.7978846
           t3 = min(abs(t2), 10.0) * -2.0
           t4 = madd(t3, 1.442695, 12583039.0)
           t5 = t4 - 12583039.0
           t6 = madd(t5, 0.00021219444, madd(t5, -0.6933594, t3))
           t7 = madd(madd(madd(madd(madd(madd(0.00019763311, t6, 0.0013932326), t6, 0.008333544), t6, 0.041666493), t6, 0.16666666), t6, 0.5), t6 * t6, t6)
           t8 = bits_f32(bits_i32(t4) << 23)
           v3[i * 48 + j] = t0 * 0.5 * (copysign(madd(t7, t8, t8 - 1.0) / madd(t7, t8, t8 + 1.0), t2) + 1.0)"
  `);
});

test('loops: where their operands move', () => {
  expect(here(() => jit(halving).lower(float32(10, 4)).compile()).text('plan')).toMatchInlineSnapshot(`
    "in0: f32[10,4], 160 bytes
    out0: f32[4], 16 bytes
    out1: f32[10,4], 160 bytes
    arena: 256 bytes
    0: nest0  -> arena[0:16]
    1: copy 16 bytes  arena[0:16] -> out0[0:16]
    2: repeat t1 < 10
       3: nest2  out0[0:16], in0[0:16] + 16·t1 -> arena[128:144], out1[0:16] + 16·t1
       4: copy 16 bytes  arena[128:144] -> out0[0:16]"
  `);
});

test('the jaxpr is what the device was left with', () => {
  const program = here(() => jit((x: Tensor) => np.add(np.mul(x, 1), 0)).lower(float32(3)));
  expect(program.text()).toMatchInlineSnapshot(`
    "{ lambda ; a:f32[3]. let
      b:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] 1:f32[]
      c:f32[3] = mul a b
      d:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] 0:f32[]
      e:f32[3] = add c d
    in (e,) }"
  `);
  expect(program.compile().text('jaxpr')).toMatchInlineSnapshot(`
    "{ lambda ; a:f32[3]. let
      b:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] 0:f32[]
      c:f32[3] = add a b
    in (c,) }"
  `);
});

test('flops of products and convolutions are those of textbooks', () => {
  const [m, n, k] = [96, 80, 112];
  const cost = here(() =>
    jit((a: Tensor, b: Tensor) => np.matmul(a, b))
      .lower(float32(m, k), float32(k, n))
      .compile()
      .cost(),
  );
  const bytes = 4 * (m * k + k * n + m * n);
  expect(cost).toEqual({ flops: 2 * m * n * k, bytes, kernels: 1, peakBytes: bytes });
  // Too small for a kernel of its own: a nest, of which the same is counted.
  const small = here(() =>
    jit((a: Tensor, b: Tensor) => np.matmul(a, b))
      .lower(float32(3, 4), float32(4, 5))
      .compile(),
  );
  expect(small.text('plan')).not.toContain('contract');
  expect(small.cost().flops).toBe(2 * 3 * 4 * 5);
  const batched = here(() =>
    jit((a: Tensor, b: Tensor) => np.einsum('bij,bkj->bik', a, b))
      .lower(float32(6, 20, 30), float32(6, 40, 30))
      .compile()
      .cost(),
  );
  expect(batched.flops).toBe(2 * 6 * 20 * 30 * 40);
  const conv = (padding: 'VALID' | 'SAME') =>
    here(() =>
      jit((x: Tensor, w: Tensor) => lax.conv(x, w, [1, 1], padding))
        .lower(float32(2, 3, 16, 16), float32(8, 3, 3, 3))
        .compile()
        .cost(),
    );
  expect(conv('VALID').flops).toBe(2 * 2 * 8 * 14 * 14 * 3 * 9);
  // Of sixteen places along an axis, two lack a tap.
  expect(conv('SAME').flops).toBe(2 * 2 * 8 * 3 * (16 * 3 - 2) ** 2);
});

test('loops of known length are multiplied, a while counts once', () => {
  const once = here(() =>
    jit((x: Tensor) => np.add(np.mul(x, 0.5), x))
      .lower(float32(4))
      .compile(),
  );
  expect(once.cost()).toEqual({ flops: 8, bytes: 32, kernels: 1, peakBytes: 32 });
  const step = (carry: Tensor, v: Tensor) => [np.add(np.mul(carry, 0.5), v), null] as const;
  const folded = here(() =>
    jit((x: Tensor) => scan(step, np.zeros([4]), x)[0])
      .lower(float32(100, 4))
      .compile()
      .cost(),
  );
  expect(folded.flops).toBe(100 * 8);
  const doubling = (x: Tensor): Tensor =>
    whileLoop(
      (c: Tensor) => np.less(np.sum(c), 100),
      (c: Tensor) => np.mul(c, 2),
      x,
    );
  const { cost, profile } = here(() => jit(doubling).lower(float32(4)).compile());
  expect(cost().flops).toBe(2 * 4 + 4);
  const { steps } = here(() => profile(np.ones([4])));
  // 4, 8, … 128: five turns, and the condition once more.
  expect(steps.map(({ kind, depth, turns }) => [kind, depth, turns])).toEqual([
    ['copy', 0, 1],
    ['while', 0, 1],
    ['kernel', 1, 6],
    ['kernel', 1, 5],
    ['copy', 1, 5],
  ]);
  expect(steps.reduce((sum, { flops }) => sum + flops, 0)).toBe(6 * 4 + 5 * 4);
});

const traceEvent = t.intersection([
  t.strict({ name: t.string, pid: t.number, tid: t.number, ts: t.number, args: t.UnknownRecord }),
  t.union([t.strict({ ph: t.literal('M') }), t.strict({ ph: t.literal('X'), cat: t.string, dur: t.number })]),
]);
const trace = t.strict({
  traceEvents: t.array(traceEvent),
  displayTimeUnit: t.literal('ms'),
  otherData: t.strict({ dropped: t.number }),
});

test('a profile names every step, and its trace nests', () => {
  const profile = here(() => {
    const x = np.ones([10, 4]);
    return jit(halving).lower(x).compile().profile(x);
  });
  expect(profile.steps.map(({ name, turns }) => `${name}: ${turns}`)).toMatchInlineSnapshot(`
    [
      "nest0: 1",
      "copy 16 bytes: 1",
      "repeat t1 < 10: 1",
      "nest2: 10",
      "copy 16 bytes: 10",
    ]
  `);
  expect(profile.dropped).toBe(0);
  expect(profile.events.length).toBe(profile.steps.reduce((sum, { turns }) => sum + turns, 0));
  for (const { milliseconds } of profile.steps) expect(milliseconds).toBeGreaterThanOrEqual(0);
  expect(profile.milliseconds).toBeGreaterThan(0);
  const outer = profile.steps.filter(({ depth }) => depth === 0).reduce((sum, s) => sum + s.milliseconds, 0);
  expect(outer).toBeLessThanOrEqual(profile.milliseconds);
  const decoded = trace.decode(JSON.parse(profile.chromeTrace()));
  if (E.isLeft(decoded)) throw new Error('not a trace');
  const turns = decoded.right.traceEvents.flatMap((event) => (event.ph === 'X' ? [event] : []));
  expect(turns.length).toBe(profile.events.length + 1);
  const [loop] = turns.filter(({ cat }) => cat === 'repeat');
  const inside = turns.filter(({ args }) => args['step'] === 3);
  expect(inside.length).toBe(10);
  for (const { ts, dur } of inside) {
    expect(ts).toBeGreaterThanOrEqual(loop!.ts);
    expect(ts + dur).toBeLessThanOrEqual(loop!.ts + loop!.dur + 0.001);
  }
  expect(String(profile).split('\n').length).toBe(profile.steps.length + 2);
});

test('a decomposition: every step ran once', () => {
  const program = here(() =>
    jit((x: Tensor) => np.fft.rfft(x).re)
      .lower(float32(60))
      .compile(),
  );
  const impulse = here(() => np.array(Array.from({ length: 60 }, (_, i) => (i === 0 ? 1 : 0))));
  expect(here(() => program(impulse)).toArray()).toEqual(new Array(31).fill(1));
  const { steps } = here(() => program.profile(impulse));
  expect(steps.length).toBe(program.cost().kernels);
  expect(steps.length).toBeGreaterThan(2);
  expect(steps.every(({ turns }) => turns === 1)).toBe(true);
});

test('compiled ahead: calls neither trace nor compile', () => {
  let compiled = 0;
  const inner = wasmDevice();
  const counting: Device = Object.assign(Object.create(inner) as Device, {
    compile(...args: Parameters<Device['compile']>) {
      compiled += 1;
      return inner.compile(...args);
    },
  });
  withDefaultDevice(counting, () => {
    const captured = np.array([1, 2, 3]);
    const f = jit((p: { readonly w: Tensor; readonly power: number }) => np.mul(np.add(p.w, captured), p.power));
    const arg = { w: np.array([4, 5, 6]), power: 2 };
    compiled = 0;
    const program = f.lower(arg).compile();
    expect([f.traces, compiled]).toEqual([1, 1]);
    expect(program(arg).toArray()).toEqual([10, 14, 18]);
    expect(f(arg).toArray()).toEqual([10, 14, 18]);
    expect(f({ ...arg, w: np.array([0, 0, 0]) }).toArray()).toEqual([2, 4, 6]);
    expect(
      f
        .lower({ w: float32(3), power: 2 })
        .compile()(arg)
        .toArray(),
    ).toEqual([10, 14, 18]);
    expect([f.traces, compiled]).toEqual([1, 1]);
  });
});

test('tensors of no device come to the program; those of another are refused', () => {
  const shift = withDefaultDevice(referenceDevice(), () => np.ones([2]));
  const shifted = here(() =>
    jit((x: Tensor) => np.add(x, shift))
      .lower(float32(2))
      .compile(),
  );
  expect(here(() => shifted(np.array([1, 2]))).toArray()).toEqual([2, 3]);
  const program = here(() =>
    jit((x: Tensor) => np.add(x, 1))
      .lower(float32(2))
      .compile(),
  );
  const moved = withDefaultDevice(referenceDevice(), () => program(np.zeros([2])));
  expect((moved as unknown as { readonly device: Device }).device).toBe(device);
  expect(moved.toArray()).toEqual([1, 1]);
  expect(message(() => withDefaultDevice(referenceDevice(), () => program(np.array([1, 2]))))).toMatchInlineSnapshot(`
    "
    CompileError: compiled(anonymous): args[0] is on the device reference, it was compiled for wasm
      remedy: make it there (withDefaultDevice), or lower for arguments of its device
      at test/wasm/compiled.test.ts:LINE
    "
  `);
});

test('the text of a program is the same each time it is compiled, whatever was before', () => {
  const text = () =>
    here(() =>
      jit((x: Tensor) => np.sort(x))
        .lower(float32(3, 50))
        .compile(),
    ).text('loops');
  const first = text();
  here(() =>
    jit((x: Tensor) => lax.topK(x, 2)[0])
      .lower(float32(9))
      .compile(),
  );
  expect(text()).toBe(first);
});

test('a text that no program has is refused', () => {
  for (const on of [device, referenceDevice()]) {
    const program = withDefaultDevice(on, () => jit(np.sin).lower(float32(2)).compile());
    expect(() => program.text('wgsl')).toThrow(
      /^text\('wgsl'\): the device (wasm compiles to WebAssembly|reference runs)/,
    );
    expect(() => program.text('msl' as 'wat')).toThrow("text('msl'): there is no such text of a program");
  }
});
