/** Saved runs: what was written is what is read, and nothing else is. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { np, random, train, tree } from 'pullback';
import { showFailure, writeParams } from 'pullback/io';
import { afterAll, describe, expect, it, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'pullback-saved-'));
afterAll(() => rmSync(folder, { recursive: true }));

const carry = () => ({
  params: { layers: [{ w: np.array([1.5, -0, Number.NaN, Number.POSITIVE_INFINITY]), b: np.zeros([0]) }], name: 'net' },
  state: { count: np.array(7, { dtype: 'int32' }), masks: np.array([true, false]) },
});

const someRun: train.Run<ReturnType<typeof carry>> = {
  ...train.startRun(carry(), random.key(3)),
  epoch: 2,
  step: 5,
  sums: { loss: 0.1 + 0.2, accuracy: Number.NaN },
  history: [
    { epoch: 0, training: { loss: 1 / 3 }, validation: {} },
    { epoch: 1, training: { loss: Number.POSITIVE_INFINITY }, validation: { loss: -0.5 } },
  ],
  best: {
    epoch: 1,
    value: 0.5,
    carry: { ...carry(), state: { ...carry().state, count: np.array(6, { dtype: 'int32' }) } },
  },
};

/** The elements of the leaves, and all that is no tensor. */
const plain = (run: train.Run<ReturnType<typeof carry>>) => ({
  ...run,
  carry: tree.leaves(run.carry).map((x) => x.toArray()),
  names: [run.carry.params.name, run.best?.carry.params.name],
  key: run.key.toArray(),
  best: run.best && { ...run.best, carry: tree.leaves(run.best.carry).map((x) => x.toArray()) },
});

const write = async (name: string, run: train.Run<ReturnType<typeof carry>> = someRun): Promise<string> => {
  const path = join(folder, name);
  expect(await train.writeRun(path, run)()).toEqual({ _tag: 'Right', right: path });
  return path;
};

/** The run at `path`, or why there is none, without the folder. */
const read = async (path: string, like: unknown = carry()): Promise<unknown> => {
  const run = await train.readRun(path, like)();
  return run._tag === 'Right' ? plain(run.right as typeof someRun) : showFailure(run.left).replaceAll(`${folder}/`, '');
};

describe('a saved run', () => {
  it('is read as it was written, bit by bit', async () => {
    expect(await read(await write('run.safetensors'))).toEqual(plain(someRun));
    expect(await read(await write('fresh.safetensors', train.startRun(carry(), random.key(0))))).toEqual(
      plain(train.startRun(carry(), random.key(0))),
    );
  });

  it('is refused when it is cut short anywhere', async () => {
    const bytes = readFileSync(await write('whole.safetensors'));
    const path = join(folder, 'cut.safetensors');
    for (let length = 0; length < bytes.length; length += 13) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(await read(path)).toMatch(/^cut.safetensors: (truncated|corrupt): /);
    }
  });

  it('is refused when any bit of it has changed', async () => {
    const bytes = readFileSync(await write('whole.safetensors'));
    const path = join(folder, 'flipped.safetensors');
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << ((at * 5 + 3) % 8);
      writeFileSync(path, flipped);
      expect(await read(path), `byte ${at}`).toMatch(/^flipped.safetensors: /);
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= 1 << bit;
        writeFileSync(path, flipped);
        expect(await read(path)).toMatch(/^flipped.safetensors: /);
      }),
    );
  });

  it('names the tensor whose elements have changed', async () => {
    const path = await write('element.safetensors');
    const bytes = readFileSync(path);
    const at = bytes.lastIndexOf(Buffer.from(new Float32Array([1.5]).buffer));
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
    expect(await read(path)).toMatch(
      /^element.safetensors: carry.params.layers\[0\].w: expected elements with the digest \w{12}…, got elements with the digest \w{12}…$/,
    );
  });

  it('is refused for a carry of another shape or structure, by its first path', async () => {
    const path = await write('other.safetensors');
    const wider = { ...carry(), params: { layers: [{ w: np.zeros([5]), b: np.zeros([0]) }], name: 'net' } };
    expect(await read(path, wider)).toBe(
      [
        'other.safetensors: best.params.layers[0].w: expected float32[5], got float32[4]',
        'other.safetensors: carry.params.layers[0].w: expected float32[5], got float32[4]',
      ].join('\n'),
    );
    expect(await read(path, { params: carry().params })).toBe(
      [
        'other.safetensors: best.state.count: expected no tensor of this name, got int32[]',
        'other.safetensors: carry.state.count: expected no tensor of this name, got int32[]',
        'other.safetensors: best.state.masks: expected no tensor of this name, got bool[2]',
        'other.safetensors: carry.state.masks: expected no tensor of this name, got bool[2]',
      ].join('\n'),
    );
  });

  it('is refused where something static is another, but for functions', async () => {
    const path = join(folder, 'static.safetensors');
    const made = (name: string, rate: number, f: () => number) => ({ w: np.ones([1]), how: { name, rate, f } });
    await train.writeRun(
      path,
      train.startRun(
        made('relu', 3, () => 1),
        random.key(0),
      ),
    )();
    expect(
      await read(
        path,
        made('gelu', 3, () => 1),
      ),
    ).toBe('static.safetensors: carry.how.name: expected "gelu", got "relu"');
    expect(
      await read(
        path,
        made('relu', 4, () => 1),
      ),
    ).toBe('static.safetensors: carry.how.rate: expected 4, got 3');
    expect(await read(path, { ...made('relu', 3, () => 1), more: true })).toBe(
      'static.safetensors: carry.more: expected true, got nothing static',
    );
    const same = await train.readRun(
      path,
      made('relu', 3, () => 2),
    )();
    expect(same._tag === 'Right' && (same.right.carry.how.f as unknown as () => number)()).toBe(2);
  });

  it('is no other file of tensors, and none of another version', async () => {
    const path = join(folder, 'params.safetensors');
    await writeParams(path, carry())();
    expect(await read(path)).toBe('params.safetensors: corrupt: it is no saved run: it has no pullback.run.');

    const manifest = JSON.stringify({ version: 2, epochs: [] });
    const digest = createHash('sha256').update(manifest).digest('hex');
    await writeParams(path, carry(), { 'pullback.run': manifest, 'pullback.run.sha256': digest })();
    expect(await read(path)).toBe('params.safetensors: version: expected 1, got 2');
  });

  it('keeps the old file when the new one cannot be written', async () => {
    const path = await write('kept.safetensors');
    const before = readFileSync(path);
    const below = join(path, 'run.safetensors');
    expect((await train.writeRun(below, someRun)())._tag).toBe('Left');
    expect(readFileSync(path)).toEqual(before);
  });
});

test('openRun begins anew only where there is no file', async () => {
  const path = join(folder, 'open', 'run.safetensors');
  const fresh = train.startRun(carry(), random.key(9));
  expect(await train.openRun(path, fresh)()).toEqual({ _tag: 'Right', right: fresh });
  await train.writeRun(path, someRun)();
  const opened = await train.openRun(path, fresh)();
  expect(opened._tag === 'Right' && plain(opened.right)).toEqual(plain(someRun));
  writeFileSync(path, 'no run');
  expect((await train.openRun(path, fresh)())._tag).toBe('Left');
});

describe('restorePartly', () => {
  const file = { 'body.w': np.array([1, 2]), 'body.b': np.array([3]), 'head.w': np.zeros([10]) };
  const fresh = () => ({ body: { w: np.zeros([2]), b: np.zeros([1]) }, head: { v: np.ones([3]) } });

  it('takes what has its own path, and says what it took', () => {
    const done = train.restorePartly(fresh(), file);
    if (done._tag === 'Left') throw new Error(showFailure(done.left));
    const { params, restored, kept, unused } = done.right;
    expect([params.body.w.toArray(), params.body.b.toArray(), params.head.v.toArray()]).toEqual([
      [1, 2],
      [3],
      [1, 1, 1],
    ]);
    expect({ restored, kept, unused }).toEqual({
      restored: ['body.b', 'body.w'],
      kept: ['head.v'],
      unused: ['head.w'],
    });
  });

  it('takes from other names, and refuses what does not fit', () => {
    const renamed = train.restorePartly(fresh(), file, {
      nameOf: (path) => path.replace('head.v', 'head.w'),
      source: 'old',
    });
    expect(renamed._tag === 'Left' && showFailure(renamed.left)).toBe(
      'old: head.w (for head.v): expected float32[3], got float32[10]',
    );
    const missing = train.restorePartly(fresh(), file, { nameOf: (path) => `net.${path}`, source: 'old' });
    expect(missing._tag === 'Left' && showFailure(missing.left).split('\n')[0]).toBe(
      'old: net.body.b (for body.b): expected float32[1], got nothing',
    );
  });
});
