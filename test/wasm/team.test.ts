/** The threads of a device by themselves: what they are given, and what they do when one of them fails. */

import { jit, np, type Tensor, WorkerError, wasmDevice, withDefaultDevice } from 'pullback';
import { afterEach, describe, expect, it } from 'vitest';
import { breakIf, loop, sequence, when } from '../../backends/wasm/code/control.ts';
import { atomic, type Code, call, drop, get, i32, set, tee } from '../../backends/wasm/code/instructions.ts';
import { Module } from '../../backends/wasm/code/module.ts';
import { LinearMemory } from '../../backends/wasm/memory.ts';
import { emitMember } from '../../backends/wasm/sequencer.ts';
import { emitProtocol, shared, words } from '../../backends/wasm/team/protocol.ts';
import { type SharedRun, Team } from '../../backends/wasm/team/team.ts';
import { webAssembly } from '../../backends/wasm/webassembly.ts';

const threadsOf = (device: unknown): number => (device as { readonly threads: number }).threads;

describe('the number of threads', () => {
  const before = process.env['PULLBACK_THREADS'];
  afterEach(() => {
    process.env['PULLBACK_THREADS'] = before;
  });

  it('is an option, or PULLBACK_THREADS', () => {
    process.env['PULLBACK_THREADS'] = '3';
    expect(threadsOf(wasmDevice())).toBe(3);
    expect(threadsOf(wasmDevice({ threads: 2 }))).toBe(2);
    process.env['PULLBACK_THREADS'] = '';
    expect(threadsOf(wasmDevice())).toBeGreaterThan(0);
  });

  it('is one where memory is not shared', () => {
    expect(threadsOf(wasmDevice({ threads: 4, shared: false }))).toBe(1);
  });

  it('is a whole number', () => {
    for (const threads of [0, -1, 1.5, Number.NaN, 257]) {
      expect(() => wasmDevice({ threads })).toThrow(WorkerError);
      expect(() => wasmDevice({ threads })).toThrow(`wasm: threads: ${threads} is no number of threads`);
    }
    process.env['PULLBACK_THREADS'] = 'many';
    expect(() => wasmDevice()).toThrow('wasm: PULLBACK_THREADS=many is no number of threads');
  });
});

describe('code of more programs than threads keep', () => {
  it('comes back where it is called again and again', () => {
    const f = jit((x: Tensor) => np.sum(np.tanh(np.matmul(x, x))));
    const device = wasmDevice({ threads: 2, shareAll: true });
    withDefaultDevice(device, () => {
      const x = np.ones([256, 256]);
      const want = f(x).item();
      for (let i = 0; i < 520; i++) jit((y: Tensor) => np.mul(np.add(y, i), 2))(np.ones([4]));
      for (let i = 0; i < 20; i++) expect(f(x).item()).toBe(want);
      const { team } = device as unknown as { readonly team: { readonly calls: number } };
      const before = team.calls;
      f(x);
      expect(team.calls).toBe(before + 1);
    });
  });
});

describe('a thread that fails', () => {
  it('in the middle of a program is an error that says why, and the end of threads', () => {
    const memory = new LinearMemory({ budget: 2 ** 20 });
    const team = new Team(memory, 2, true);
    const module = new Module({ shared: true, maximum: memory.budget / 65536 });
    const protocol = emitProtocol(module, team.layout);
    const unreachable = (out: { u8(x: number): unknown }): void => {
      out.u8(0x00);
    };
    // The first thread waits for a chunk that the other has in hand when it fails.
    const chunk = atomic.store(i32.const(team.layout.control + words.left), i32.const(1));
    module
      .func(['i32', 'i32', 'i32', 'i32'], [], 'run')
      .body(
        sequence(
          when(
            i32.and(get(1), i32.gtS(get(2), i32.const(1))),
            unreachable,
            when(
              i32.gtS(get(2), i32.const(1)),
              sequence(chunk, drop(call(protocol.close.index, i32.const(10))), call(protocol.finish.index, get(3))),
            ),
          ),
        ),
      );
    const bytes = module.encode();
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), {
      env: { memory: memory.memory as never },
    });
    const code = { run: exports['run'] as SharedRun, number: team.enroll(bytes), threads: 2, bytes };
    const run = (): void => team.run(code, 0);
    expect(run).toThrow(
      /^wasm: a thread ended in the middle of a program, which has no result: RuntimeError: unreachable/,
    );
    expect(run).not.toThrow();
    expect(team.calls).toBe(1);
  });

  it('while the first one has work in hand is an error as well', () => {
    const memory = new LinearMemory({ budget: 2 ** 20 });
    const team = new Team(memory, 2, true);
    const module = new Module({ shared: true, maximum: memory.budget / 65536 });
    const own = emitMember(module, 'run', team.layout);
    const { func } = own;
    const n = func.local('i32');
    const unreachable: Code = (out) => {
      out.u8(0x00);
    };
    const count = sequence(set(n, i32.const(50_000_000)), loop(breakIf(tee(n, i32.sub(get(n), i32.const(1))), 0)));
    const how = { turns: i32.const(8), chunks: i32.const(8), grain: i32.const(1), spins: i32.const(1000) };
    func.body(
      sequence(
        own.begin,
        shared(func, own, how, () => when(get(own.thread), unreachable, count)),
        own.end,
      ),
    );
    const bytes = module.encode();
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), {
      env: { memory: memory.memory as never },
    });
    const code = { run: exports['run'] as SharedRun, number: team.enroll(bytes), threads: 2, bytes };
    expect(() => team.run(code, 0)).toThrow(/^wasm: a thread ended in the middle of a program/);
  });
});

describe('the room of threads', () => {
  it('is no more than a step has chunks, nor an eighth of memory: what fits with one thread fits with all', () => {
    const values = Float32Array.from({ length: 4 * 2 ** 18 }, (_, i) => Math.sin(i));
    for (const threads of [1, 2, 8, 64]) {
      withDefaultDevice(wasmDevice({ threads, budget: 20 * 2 ** 20 }), () => {
        expect(np.sort(np.reshape(np.array(values), [4, 2 ** 18])).shape).toEqual([4, 2 ** 18]);
        expect(np.matmul(np.ones([700, 700]), np.ones([700, 700])).shape).toEqual([700, 700]);
      });
    }
  });
  it('is not asked for by what is too small for them', () => {
    const device = wasmDevice({ threads: 4 }) as unknown as {
      readonly team: { readonly calls: number; readonly isStarted: boolean };
    };
    withDefaultDevice(device as never, () => np.add(np.array([1, 2]), 1).toArray());
    expect([device.team.calls, device.team.isStarted]).toEqual([0, false]);
  });
});
