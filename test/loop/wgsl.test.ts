/** WGSL of the samples, as text; `npm run wgsl` compiles and runs them. */

import { describe, expect, it } from 'vitest';
import { wgsl } from '../../backends/webgpu/wgsl/kernel.ts';
import * as samples from './samples.ts';

describe('WGSL of', () => {
  it('an elementwise chain with a broadcast operand', () => {
    expect(wgsl(samples.elementwise()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read> scale_: array<f32>;
      @group(0) @binding(2) var<storage, read> mask_: array<u32>;
      @group(0) @binding(3) var<storage, read_write> out_: array<f32>;
      var<private> zero: u32;
      fn special(bits: u32) -> f32 { return bitcast<f32>(bits | zero); }
      fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
      fn order(x: f32) -> i32 { let b = bitcast<i32>(x); return b ^ ((b >> 31u) & 0x7fffffffi); }
      fn max_f32(x: f32, y: f32) -> f32 {
        if (is_nan(x)) { return x; }
        return select(y, x, order(x) > order(y) && !is_nan(y));
      }

      @compute @workgroup_size(64)
      fn main(@builtin(global_invocation_id) g: vec3u, @builtin(num_workgroups) n: vec3u) {
        zero = u32(n.x == 0u);
        let id = i32(g.x);
        if (id < 60i) {
          let i = id / 10i;
          let j = id % 10i;
          let t0 = (i * 10i) + j;
          out_[t0] = select(special(0x80000000u), max_f32(((x[t0] * scale_[j]) + 0.1f), 0.0f), (mask_[t0] != 0u));
        }
      }

      "
    `);
  });
  it('a transpose', () => {
    expect(wgsl(samples.transpose()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> out_: array<f32>;

      @compute @workgroup_size(64)
      fn main(@builtin(global_invocation_id) g: vec3u) {
        let id = i32(g.x);
        if (id < 35i) {
          let i = id / 5i;
          let j = id % 5i;
          out_[j + (i * 5i)] = x[(j * 7i) + i];
        }
      }

      "
    `);
  });
  it('a pad', () => {
    expect(wgsl(samples.pad()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> out_: array<f32>;

      @compute @workgroup_size(64)
      fn main(@builtin(global_invocation_id) g: vec3u) {
        let id = i32(g.x);
        if (id < 30i) {
          let i = id / 6i;
          let j = id % 6i;
          let t0 = ((i - 2i) >= 0i) & (j < 5i);
          out_[(i * 6i) + j] = select(1.0f, select(0.0f, x[select(0i, ((i * 5i) + j) - 10i, t0)], t0), t0);
        }
      }

      "
    `);
  });
  it('a concatenation', () => {
    expect(wgsl(samples.concatenate()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<i32>;
      @group(0) @binding(1) var<storage, read> y: array<i32>;
      @group(0) @binding(2) var<storage, read_write> out_: array<i32>;

      @compute @workgroup_size(64)
      fn main(@builtin(global_invocation_id) g: vec3u) {
        let id = i32(g.x);
        if (id < 15i) {
          let i = id;
          let t0 = i < 6i;
          let t1 = i - 6i;
          out_[i] = select(select(0i, y[select(0i, t1, t1 >= 0i)], t1 >= 0i), select(0i, x[select(0i, i, t0)], t0), t0);
        }
      }

      "
    `);
  });
  it('a sum over rows: a workgroup a row', () => {
    const { code, passes } = wgsl(samples.sumRows());
    expect(code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> out_: array<f32>;
      var<workgroup> cells_f32: array<f32, 64>;
      fn reduce_add_f32(lane: u32, x: f32) -> f32 {
        workgroupBarrier();
        cells_f32[lane] = x;
        workgroupBarrier();
        for (var s = 32u; s > 0u; s = s >> 1u) {
          if (lane < s) { cells_f32[lane] = cells_f32[lane] + cells_f32[lane + s]; }
          workgroupBarrier();
        }
        return cells_f32[0];
      }

      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) lane: u32) {
        let id = i32(w.x);
        if (id < 5i) {
          let i = id;
          var s: f32 = 0.0f;
          var s_0 = 0.0f;
          for (var j = i32(lane); j < 33i; j += 64i) {
            s_0 = s_0 + x[(i * 33i) + j];
          }
          s = s + reduce_add_f32(lane, s_0);
          if (lane == 0u) { out_[i] = s; }
        }
      }

      "
    `);
    expect(passes).toEqual([{ entry: 'main', workgroups: [5, 1] }]);
  });
  it('a sum over columns: an invocation a column', () => {
    expect(wgsl(samples.sumColumns()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> out_: array<f32>;

      @compute @workgroup_size(64)
      fn main(@builtin(global_invocation_id) g: vec3u) {
        let id = i32(g.x);
        if (id < 20i) {
          let j = id;
          var s: f32 = 0.0f;
          for (var i = 0i; i < 9i; i++) {
            s = s + x[(i * 20i) + j];
          }
          out_[j] = s;
        }
      }

      "
    `);
  });
  it('two full sums', () => {
    expect(wgsl(samples.fullSum()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> out_: array<f32>;
      @group(0) @binding(2) var<storage, read_write> count_: array<i32>;
      var<workgroup> cells_f32: array<f32, 64>;
      fn reduce_add_f32(lane: u32, x: f32) -> f32 {
        workgroupBarrier();
        cells_f32[lane] = x;
        workgroupBarrier();
        for (var s = 32u; s > 0u; s = s >> 1u) {
          if (lane < s) { cells_f32[lane] = cells_f32[lane] + cells_f32[lane + s]; }
          workgroupBarrier();
        }
        return cells_f32[0];
      }
      var<workgroup> cells_i32: array<i32, 64>;
      fn reduce_add_i32(lane: u32, x: i32) -> i32 {
        workgroupBarrier();
        cells_i32[lane] = x;
        workgroupBarrier();
        for (var s = 32u; s > 0u; s = s >> 1u) {
          if (lane < s) { cells_i32[lane] = cells_i32[lane] + cells_i32[lane + s]; }
          workgroupBarrier();
        }
        return cells_i32[0];
      }

      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) lane: u32) {
        var s: f32 = 0.0f;
        var s_0 = 0.0f;
        for (var i = i32(lane); i < 1000i; i += 64i) {
          let t0 = x[i];
          s_0 = s_0 + (t0 * t0);
        }
        s = s + reduce_add_f32(lane, s_0);
        var c: i32 = 0i;
        var c_0 = 0i;
        for (var i = i32(lane); i < 1000i; i += 64i) {
          c_0 = c_0 + i32((i < 999i));
        }
        c = c + reduce_add_i32(lane, c_0);
        if (lane == 0u) { out_[0i] = s; }
        if (lane == 0u) { count_[0i] = c + 1i; }
      }

      "
    `);
  });
  it('a product of matrices', () => {
    expect(wgsl(samples.dot()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read> y: array<f32>;
      @group(0) @binding(2) var<storage, read_write> out_: array<f32>;

      @compute @workgroup_size(64)
      fn main(@builtin(global_invocation_id) g: vec3u) {
        let id = i32(g.x);
        if (id < 60i) {
          let i = id / 10i;
          let j = id % 10i;
          var s: f32 = 0.0f;
          for (var k = 0i; k < 11i; k++) {
            s = s + (x[(i * 11i) + k] * y[(k * 10i) + j]);
          }
          out_[(i * 10i) + j] = s;
        }
      }

      "
    `);
  });
  it('softmax, row by row', () => {
    expect(wgsl(samples.softmax()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> out_: array<f32>;
      var<private> zero: u32;
      fn special(bits: u32) -> f32 { return bitcast<f32>(bits | zero); }
      fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
      fn order(x: f32) -> i32 { let b = bitcast<i32>(x); return b ^ ((b >> 31u) & 0x7fffffffi); }
      fn max_f32(x: f32, y: f32) -> f32 {
        if (is_nan(x)) { return x; }
        return select(y, x, order(x) > order(y) && !is_nan(y));
      }
      fn to_i32(x: f32) -> i32 {
        if (is_nan(x)) { return 0i; }
        if (x >= 2147483648.0f) { return 2147483647i; }
        if (x <= -2147483648.0f) { return bitcast<i32>(0x80000000u); }
        return i32(x);
      }
      var<workgroup> row_: array<f32, 50>;
      var<workgroup> cells_f32: array<f32, 64>;
      fn reduce_max_f32(lane: u32, x: f32) -> f32 {
        workgroupBarrier();
        cells_f32[lane] = x;
        workgroupBarrier();
        for (var s = 32u; s > 0u; s = s >> 1u) {
          if (lane < s) { cells_f32[lane] = max_f32(cells_f32[lane], cells_f32[lane + s]); }
          workgroupBarrier();
        }
        return cells_f32[0];
      }
      fn reduce_add_f32(lane: u32, x: f32) -> f32 {
        workgroupBarrier();
        cells_f32[lane] = x;
        workgroupBarrier();
        for (var s = 32u; s > 0u; s = s >> 1u) {
          if (lane < s) { cells_f32[lane] = cells_f32[lane] + cells_f32[lane + s]; }
          workgroupBarrier();
        }
        return cells_f32[0];
      }

      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) lane: u32, @builtin(num_workgroups) n: vec3u) {
        zero = u32(n.x == 0u);
        let id = i32(w.x);
        if (id < 4i) {
          let i = id;
          var m: f32 = special(0xff800000u);
          var m_0 = special(0xff800000u);
          for (var j = i32(lane); j < 50i; j += 64i) {
            m_0 = max_f32(m_0, x[(i * 50i) + j]);
          }
          m = max_f32(m, reduce_max_f32(lane, m_0));
          var s: f32 = 0.0f;
          var s_0 = 0.0f;
          for (var j = i32(lane); j < 50i; j += 64i) {
            let t0 = x[(i * 50i) + j] - m;
            let t1 = max_f32(round((t0 * 1.442695f)), -126.0f);
            let t2 = fma(t1, 0.00021219444f, fma(t1, -0.6933594f, t0));
            let e: f32 = fma(fma(fma(fma(fma(fma(0.0013888889f, t2, 0.008333334f), t2, 0.041666668f), t2, 0.16666667f), t2, 0.5f), t2, 1.0f), t2, 1.0f) * bitcast<f32>(bitcast<i32>((bitcast<u32>((to_i32(t1) + 127i)) << 23u)));
            row_[j] = e;
            s_0 = s_0 + e;
          }
          s = s + reduce_add_f32(lane, s_0);
          workgroupBarrier();
          for (var j = i32(lane); j < 50i; j += 64i) {
            out_[(i * 50i) + j] = row_[j] / s;
          }
        }
      }

      "
    `);
  });
  it('layer norm, row by row', () => {
    expect(wgsl(samples.layerNorm()).code).toMatchInlineSnapshot(`
      "@group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read> scale_: array<f32>;
      @group(0) @binding(2) var<storage, read> shift_: array<f32>;
      @group(0) @binding(3) var<storage, read_write> out_: array<f32>;
      var<workgroup> cells_f32: array<f32, 64>;
      fn reduce_add_f32(lane: u32, x: f32) -> f32 {
        workgroupBarrier();
        cells_f32[lane] = x;
        workgroupBarrier();
        for (var s = 32u; s > 0u; s = s >> 1u) {
          if (lane < s) { cells_f32[lane] = cells_f32[lane] + cells_f32[lane + s]; }
          workgroupBarrier();
        }
        return cells_f32[0];
      }

      @compute @workgroup_size(64)
      fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) lane: u32) {
        let id = i32(w.x);
        if (id < 4i) {
          let i = id;
          var s: f32 = 0.0f;
          var s_0 = 0.0f;
          for (var j = i32(lane); j < 48i; j += 64i) {
            s_0 = s_0 + x[(i * 48i) + j];
          }
          s = s + reduce_add_f32(lane, s_0);
          let mean_: f32 = s * 0.020833334f;
          var q: f32 = 0.0f;
          var q_0 = 0.0f;
          for (var j = i32(lane); j < 48i; j += 64i) {
            let t0 = x[(i * 48i) + j] - mean_;
            q_0 = q_0 + (t0 * t0);
          }
          q = q + reduce_add_f32(lane, q_0);
          let f: f32 = 1.0f / sqrt(((q * 0.020833334f) + 0.00001f));
          for (var j = i32(lane); j < 48i; j += 64i) {
            let t1 = (i * 48i) + j;
            out_[t1] = fma(((x[t1] - mean_) * f), scale_[j], shift_[j]);
          }
        }
      }

      "
    `);
  });
});
