/** What is refused, what fails, and what is left then: one clear error each. */

import { spawnSync } from 'node:child_process';
import {
  type Device,
  DeviceMemoryError,
  devicePut,
  grad,
  jit,
  np,
  referenceDevice,
  setDefaultDevice,
  type Tensor,
  wasmDevice,
  webgpuCounts,
  webgpuDevice,
  withDefaultDevice,
} from 'pullback';
import { expect, test } from 'vitest';
import { gpuOf } from '../../backends/webgpu/machine.ts';
import { device, onWebgpu } from './available.ts';

const nameOf = (x: unknown): string => (x as { readonly device: Device }).device.name;

const said = (f: () => unknown): string => {
  try {
    f();
  } catch (error) {
    return (error as Error).message.replace(/\n {2}at .*/s, '');
  }
  return 'nothing';
};

onWebgpu('errors', () => {
  test('float64, by name, with what to do', () => {
    withDefaultDevice(device, () => {
      expect(said(() => np.array(new Float64Array([1])))).toMatchInlineSnapshot(`
        "webgpu: f64[1]: WebGPU has no float64
          remedy: convert it to float32 (np.astype(x, 'float32')), or compute it on the default device or the reference device"
      `);
      expect(said(() => np.astype(np.ones([2]), 'float64'))).toMatchInlineSnapshot(`
        "convert_element_type: f64[2]: WebGPU has no float64
          remedy: convert it to float32 (np.astype(x, 'float32')), or compute it on the default device or the reference device"
      `);
      expect(said(() => jit((x: Tensor) => np.sum(np.astype(x, 'float64')))(np.ones([2])))).toMatchInlineSnapshot(`
        "jit: f64[]: WebGPU has no float64
          remedy: convert it to float32 (np.astype(x, 'float32')), or compute it on the default device or the reference device"
      `);
    });
  });
  test('a tensor larger than a buffer can be', () => {
    const small = webgpuDevice({ budget: 2 ** 42 });
    const { bufferBytes } = gpuOf(small).connection.facts;
    const size = Math.ceil(bufferBytes / 4) + 1;
    const message = said(() => withDefaultDevice(small, () => np.zeros([size])));
    expect(message).toMatch(
      /^webgpu: a tensor of \d+ bytes, and a buffer of .* has at most \d+\n {2}remedy: compute in smaller pieces/,
    );
  });
  test('a budget that is none', () => {
    for (const budget of [0, -1, Number.NaN]) {
      expect(said(() => webgpuDevice({ budget }))).toBe(
        `webgpuDevice: a budget of ${budget} bytes\n  remedy: give a positive budget`,
      );
    }
  });
  test('a kernel that the GPU does not compile: its name, the line and its text', () => {
    const { pipelines, queue, connection } = gpuOf(device);
    const code = '@compute @workgroup_size(1)\nfn main() {\n  let x = missing(1);\n}\n';
    const [bad] = pipelines.ofAll([{ name: 'planted', code, entry: 'main', access: [], counters: 0 }]);
    expect(said(() => queue.run(bad!.ready(connection), () => undefined))).toMatchInlineSnapshot(`
      "webgpu kernel planted: the GPU's compiler refuses it: line 3: unresolved call target 'missing'
          let x = missing(1);
        remedy: this is a bug in the compiler; please report it"
    `);
    // Nothing is left of it.
    expect(withDefaultDevice(device, () => np.sum(np.ones([3])).item())).toBe(3);
  });
  test('out of memory, as a driver says it', () => {
    const own = webgpuDevice();
    const gpu = gpuOf(own).connection.device;
    const ones = withDefaultDevice(own, () => np.array(new Float32Array(100).fill(1)));
    const [known, unread] = [np.mul(ones, 2), np.mul(ones, 3)];
    expect(np.sum(known).item()).toBe(200);
    const later = np.add(known, 1);
    gpu.onuncapturederror?.({ error: new GPUOutOfMemoryError('no heap left') } as unknown as GPUUncapturedErrorEvent);
    const sum = (): number => withDefaultDevice(own, () => np.sum(np.ones([3])).item());
    expect(sum).toThrow(DeviceMemoryError);
    expect(sum()).toBe(3);
    // What was computed since the last read may be wrong, and says so as often as it is read; what was before is not.
    for (let i = 0; i < 2; i++) expect(() => later.dataSync()).toThrow(/no heap left/);
    expect(() => np.add(later, 1)).toThrow(/no heap left/);
    expect([known.dataSync()[0], unread.dataSync()[0]]).toEqual([2, 3]);
  });
  test('a device that is lost: every use says so, what the program put is still on the host, another device takes it', async () => {
    const own = webgpuDevice();
    const [put, made] = withDefaultDevice(own, () => {
      const x = np.array([1, 2, 3]);
      return [x, np.mul(x, 2)] as const;
    });
    gpuOf(own).connection.destroy();
    expect(said(() => np.add(put, 1))).toMatchInlineSnapshot(`
      "webgpu: the device was destroyed
        remedy: acquire a device again and make the tensors there; what was put on this one by the program is still on the host, results that were not read are gone"
    `);
    expect(said(() => made.dataSync())).toMatch(/^webgpu: the device was destroyed/);
    await expect(made.data()).rejects.toThrow(/the device was destroyed/);
    expect(put.toArray()).toEqual([1, 2, 3]);
    const again = webgpuDevice();
    expect(np.add(devicePut(put, again), 1).toArray()).toEqual([2, 3, 4]);
  });
  test('no driver: what is missing, and how to get it', () => {
    const script = `
      import { acquireWebgpu } from 'pullback';
      const found = await acquireWebgpu()();
      console.log(found._tag, found._tag === 'Left' ? found.left._tag : '', found._tag === 'Left' ? found.left.message : '');`;
    const env = { ...process.env, VK_DRIVER_FILES: '/nowhere.json', VK_ICD_FILENAMES: '/nowhere.json' };
    const { stdout, status } = spawnSync('npx', ['tsx', '--input-type=module', '-e', script], {
      env,
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^Left NoAdapter webgpu: there is no GPU adapter; in Node it needs the npm package webgpu \(0\.6\.2\)/,
    );
    expect(stdout).toMatch(/apt-get install --no-install-recommends chromium libvulkan1/);
  });
});

onWebgpu('placement', () => {
  const cpu = wasmDevice();
  const onCpu = <A>(f: () => A): A => withDefaultDevice(cpu, f);
  const onGpu = <A>(f: () => A): A => withDefaultDevice(device, f);
  test('operands of two devices are refused, unless one says where', () => {
    const [x, y] = [onCpu(() => np.array([1, 2])), onGpu(() => np.array([3, 4]))];
    expect(said(() => np.add(x, y))).toMatchInlineSnapshot(`
      "add: operands on two devices: wasm and webgpu
        remedy: put one where the other is (devicePut), or say where to compute: jit(f, { device })"
    `);
    expect(np.add(devicePut(x, device), y).toArray()).toEqual([4, 6]);
    const f = jit((a: Tensor, b: Tensor) => np.add(a, b), { device });
    const sum = f(x, y);
    expect([sum.toArray(), nameOf(sum)]).toEqual([[4, 6], 'webgpu']);
  });
  test('a jitted function with a device runs there: with what it closes over, without operands, compiled ahead', () => {
    const w = onCpu(() => np.array([2, 3]));
    const f = jit((x: Tensor) => np.sum(np.mul(x, w)), { device });
    const x = onCpu(() => np.array([1, 1]));
    expect([f(x).item(), nameOf(f(x)), grad(f)(devicePut(x, device)).toArray()]).toEqual([5, 'webgpu', [2, 3]]);
    const none = jit(() => np.arange(3), { device });
    expect([none().toArray(), nameOf(none())]).toEqual([[0, 1, 2], 'webgpu']);
    const ahead = f.lower(x).compile();
    expect([ahead.device.name, ahead(x).item()]).toEqual(['webgpu', 5]);
  });
  test('trees go to a device and back', () => {
    const tree = onCpu(() => ({ w: np.ones([2, 3]), b: [np.zeros([3]), np.array([true, false])] }));
    const there = devicePut(tree, device);
    expect([nameOf(there.w), there.b[1]!.toArray()]).toEqual(['webgpu', [true, false]]);
    expect(devicePut(there, referenceDevice()).b[0]!.toArray()).toEqual([0, 0, 0]);
    expect(said(() => jit((x: Tensor) => devicePut(x, device))(tree.w))).toMatchInlineSnapshot(`
      "devicePut: a tracer has no device while a transform looks at the function
        remedy: put the arguments before the call, or name a device in jit(f, { device })"
    `);
  });
  test('PULLBACK_DEVICE chooses the default device', () => {
    const script = "import { np } from 'pullback'; console.log(np.ones([2]).device.name, np.sum(np.ones([2])).item());";
    const run = (name: string): { readonly stdout: string; readonly stderr: string } =>
      spawnSync('npx', ['tsx', '--input-type=module', '-e', script], {
        env: { ...process.env, PULLBACK_DEVICE: name },
        encoding: 'utf8',
      });
    expect(run('webgpu').stdout).toBe('webgpu 2\n');
    expect(run('tpu').stderr).toMatch(/PULLBACK_DEVICE: there is no device tpu\n {2}remedy: name one of wasm, webgpu/);
  });
});

onWebgpu('texts and costs', () => {
  const compiled = (): { text(form: 'wgsl' | 'wat'): string; cost(): { kernels: number; dispatches?: number } } => {
    let before: Device | null = null;
    try {
      before = setDefaultDevice(device);
      const f = jit((x: Tensor, w: Tensor) => np.tanh(np.matmul(x, w)));
      return f.lower(np.ones([4, 3]), np.ones([3, 2])).compile();
    } finally {
      setDefaultDevice(before);
    }
  };
  test('the WGSL of a program, with what is dispatched', () => {
    expect(compiled().text('wgsl')).toMatch(
      /^\/\/ nest0: main, 1 workgroups\n@group\(0\) @binding\(0\) var<storage, read> /,
    );
    expect(said(() => compiled().text('wat'))).toMatch(/the device webgpu compiles to WGSL/);
    expect(compiled().cost()).toMatchObject({ kernels: 1, dispatches: 1 });
  });
  test('what is compiled and bound once is used again, and nothing is made in the steady state', () => {
    withDefaultDevice(device, () => {
      const f = jit((w: Tensor, x: Tensor) => np.sub(w, np.mul(np.matmul(x, w), 0.1)), { donateArgnums: 0 });
      let w = np.ones([5, 3]);
      const x = np.ones([5, 5]);
      const step = (): number => {
        w = f(w, x);
        return np.sum(w).item();
      };
      for (let i = 0; i < 5; i++) step();
      const before = webgpuCounts(device);
      for (let i = 0; i < 20; i++) step();
      const after = webgpuCounts(device);
      expect(after.submits - before.submits).toBe(20);
      expect(after.dispatches - before.dispatches).toBe(40);
      expect([after.buffers, after.pipelines, after.bindGroups]).toEqual([
        before.buffers,
        before.pipelines,
        before.bindGroups,
      ]);
    });
  });
});
