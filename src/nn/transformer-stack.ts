/**
 * Stacks of transformer layers: one after the other, computed again in reverse mode if memory is short, or as one loop over
 * parameters that are stacked.
 */

import { checkpoint as rematerialized } from '../../transforms/checkpoint.ts';
import { scan } from '../../transforms/loops.ts';
import type { FloatDType } from '../core/dtype.ts';
import { TreeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { type Key, split } from '../random/key.ts';
import { leaves, map, mapN } from '../tree/tree.ts';
import { emptyCache, type KvCache, type Memory, memoryOf } from './attention.ts';
import type { Layer } from './layer.ts';
import { expectSizes } from './params.ts';
import {
  type AnyLayerParams,
  type BlockCall,
  block,
  type DecoderCall,
  type DecoderLayerParams,
  type EncoderLayerParams,
  expectLayer,
  expectLayerOptions,
  expectSequence,
  initDecoderLayer,
  initEncoderLayer,
  initNorm,
  layerOptions,
  normed,
  type TransformerCall,
  type TransformerLayerInitOptions,
  type TransformerLayerOptions,
  type TransformerNormParams,
} from './transformer-layer.ts';

/** Parameters of a stack of layers. */
export interface TransformerStackParams<L, D extends FloatDType = 'float32'> {
  /** One tree for each layer, or one whose tensors have the layers as their first axis ({@link stackLayers}): then a loop. */
  readonly layers: readonly L[] | L;
  /** A last norm; there may be none. */
  readonly norm?: TransformerNormParams<D>;
}

/** Options of stacks of layers. */
export interface TransformerStackOptions extends TransformerLayerOptions {
  /** Keep of each layer only its input for reverse mode, and compute the rest again: `checkpoint`. Default false. */
  readonly checkpoint?: boolean;
}

/** The names of those options. */
export const stackOptions = [...layerOptions, 'checkpoint'] as const;

/** Options of the initializers of stacks. */
export interface TransformerStackInitOptions extends TransformerLayerInitOptions {
  /** Whether there is a last norm, as stacks with norms before need one; default false. */
  readonly norm?: boolean;
  /** Make stacked parameters, whose program is a loop of one layer; default false. */
  readonly stacked?: boolean;
}

/**
 * The trees of layers as one tree, whose tensors have a first axis for the layers: a stack with such parameters is a loop, whose
 * program does not grow with the number of layers.
 *
 * @throws TreeError if there are none, or they differ in structure
 *
 * @example
 * ```ts
 * import { nn, random } from 'pullback';
 * const layers = random.split(random.key(0), 3).map((key) => nn.dense.init(key, 4, 4));
 * console.log(nn.stackLayers(layers).w.shape); // => [ 3, 4, 4 ]
 * ```
 */
export function stackLayers<L>(layers: readonly L[]): L {
  const [first, ...rest] = layers;
  if (first === undefined) {
    throw new TreeError({ op: 'nn.stackLayers', problem: 'there are no layers', remedy: 'give one at least' });
  }
  return mapN((...row: readonly Value[]) => np.stack(row) as Value, first, ...rest);
}

/** How many layers there are. */
const depthOf = (layers: readonly AnyLayerParams[] | AnyLayerParams): number =>
  Array.isArray(layers) ? layers.length : (leaves(layers)[0]?.shape[0] ?? 0);

/** The trees of layers, or the one of them all. */
type Layers = readonly AnyLayerParams[] | AnyLayerParams;

/** What all layers of a stack know in a call: caches and memories for each of them. */
interface StackCall {
  readonly mask?: Value<'bool'>;
  readonly memoryMask?: Value<'bool'>;
  readonly key?: Key;
  readonly memories?: readonly Memory[] | Memory;
  readonly caches?: Caches;
}

/** Of each layer, or one whose tensors have the layers as their first axis. */
export type Caches = readonly KvCache<FloatDType>[] | KvCache<FloatDType>;

/** `x` through all layers, and their caches. */
export function through(
  op: string,
  layers: Layers,
  x: Value,
  options: TransformerStackOptions,
  { mask, memoryMask, key, memories, caches }: StackCall,
): readonly [Value, Caches | undefined] {
  const shared = { ...(mask ? { mask } : {}), ...(memoryMask ? { memoryMask } : {}) };
  const depth = depthOf(layers);
  const keys = key === undefined ? undefined : (split(key, depth) as readonly Key[]);
  const plain = (p: AnyLayerParams, y: Value, call: BlockCall) => block(op, p, y, options, call);
  const step = options.checkpoint ? rematerialized(plain) : plain;
  if (Array.isArray(layers)) {
    const next: KvCache<FloatDType>[] = [];
    const y = layers.reduce((z: Value, p: AnyLayerParams, i: number) => {
      const own = {
        ...(keys ? { key: keys[i]! } : {}),
        ...(memories ? { memory: (memories as readonly Memory[])[i]! } : {}),
        ...(caches ? { cache: (caches as readonly KvCache<FloatDType>[])[i]! } : {}),
      };
      const [result, cache] = step(p, z, { ...shared, ...own });
      if (cache) next.push(cache);
      return result;
    }, x);
    return [y, caches && next];
  }
  const rows = {
    p: layers,
    call: {
      ...(keys ? { key: np.stack(keys) } : {}),
      ...(memories ? { memory: memories } : {}),
      ...(caches ? { cache: caches } : {}),
    },
  };
  const [y, last] = scan<never, typeof rows, unknown>(
    ((z: Value, row: { readonly p: AnyLayerParams; readonly call: BlockCall }) => {
      const [result, cache] = step(row.p, z, { ...shared, ...row.call });
      return [result, cache ?? null];
    }) as never,
    x as never,
    rows,
  ) as unknown as [Value, Caches | null];
  return [y, last ?? undefined];
}

/** Memories of all layers of a decoder. */
export function memoriesOf(op: string, layers: Layers, memory: Value): readonly Memory[] | Memory {
  const one = (p: AnyLayerParams): Memory => memoryOf(op, p.cross!, memory, memory, {});
  if (Array.isArray(layers)) return layers.map(one);
  const [, rows] = scan<never, AnyLayerParams, Memory>(
    ((_: null, p: AnyLayerParams) => [null, one(p)]) as never,
    null as never,
    layers as AnyLayerParams,
  ) as unknown as [null, Memory];
  return rows;
}

/** Empty caches of all layers. */
export function emptyCaches(layers: Layers, batch: number, length: number): Caches {
  if (Array.isArray(layers)) return layers.map((p) => emptyCache(p.attention, batch, length));
  const whole = layers as AnyLayerParams;
  const one = emptyCache(
    map((w: Value) => np.index(w, 0) as Value, whole.attention),
    batch,
    length,
  );
  return map((x: Value) => np.broadcastTo(x, [depthOf(layers), ...x.shape]) as Value, one);
}

/** @throws TreeError or ShapeError unless these are parameters of a stack */
export function expectStack(op: string, params: TransformerStackParams<unknown>, cross: boolean): Layers {
  const layers = params?.layers as Layers | undefined;
  if (typeof layers !== 'object' || layers === null || depthOf(layers) === 0) {
    throw new TreeError({
      op,
      problem: `params.layers is ${Array.isArray(layers) ? 'empty' : describe(layers)}, not layers`,
      remedy: `make parameters with ${op}.init(key, { size, heads, layers })`,
    });
  }
  if (Array.isArray(layers)) for (const p of layers) expectLayer(op, p, cross);
  return layers;
}

/** The last norm, if there is one. */
export const lastNorm = (x: Value, norm: TransformerNormParams<FloatDType> | undefined, epsilon = 1e-5): Value =>
  norm === undefined ? x : normed(x, norm, epsilon);

/** @throws ShapeError if the input does not fit the first layer */
function expectInput(op: string, layers: Layers, x: Value): void {
  if (Array.isArray(layers)) expectSequence(op, x, layers[0]!);
}

const encoderName = 'nn.transformerEncoder';
const decoderName = 'nn.transformerDecoder';

const applyEncoder = <D extends FloatDType>(
  params: TransformerStackParams<EncoderLayerParams<D>, D>,
  options: TransformerStackOptions = {},
) => {
  expectOptions(encoderName, options, ...stackOptions);
  expectLayerOptions(encoderName, options);
  const layers = expectStack(encoderName, params as never, false);
  return (x: Value<D>, call: TransformerCall = {}): Value<D> => {
    expectOptions(encoderName, call, 'mask', 'key');
    expectInput(encoderName, layers, x);
    const [y] = through(encoderName, layers, x, options, call);
    return lastNorm(y, params.norm, options.epsilon) as Value<D>;
  };
};

const applyDecoder = <D extends FloatDType>(
  params: TransformerStackParams<DecoderLayerParams<D>, D>,
  options: TransformerStackOptions = {},
) => {
  expectOptions(decoderName, options, ...stackOptions);
  expectLayerOptions(decoderName, options);
  const layers = expectStack(decoderName, params as never, true);
  const how = { isCausal: true, ...options };
  return (x: Value<D>, { memory, ...call }: DecoderCall<D>): Value<D> => {
    expectOptions(decoderName, call, 'mask', 'memoryMask', 'key');
    expectInput(decoderName, layers, x);
    const memories = memoriesOf(decoderName, layers, memory);
    const [y] = through(decoderName, layers, x, how, { ...call, memories });
    return lastNorm(y, params.norm, options.epsilon) as Value<D>;
  };
};

/** A stack by its number of layers. */
function initStack<L>(
  op: string,
  key: Key,
  size: number,
  layers: number,
  { norm = false, stacked = false }: TransformerStackInitOptions,
  layer: (key: Key) => L,
): TransformerStackParams<L> {
  expectSizes(op, { layers });
  const all = (split(key, layers) as readonly Key[]).map(layer);
  return { layers: stacked ? stackLayers(all) : all, ...(norm ? { norm: initNorm(size) } : {}) };
}

/** Sizes of a stack of layers. */
export interface TransformerStackConfig extends TransformerStackInitOptions {
  /** Features of a position. */
  readonly size: number;
  /** Heads of attention, which divide the size. */
  readonly heads: number;
  /** How many layers. */
  readonly layers: number;
}

/** The names of those sizes. */
const sizes = ['size', 'heads', 'layers', 'norm', 'stacked', 'feedForwardSize', 'keyHeads'] as const;

/**
 * Encoder layers ({@link transformerEncoderLayer}) one after the other, and a last norm if the parameters have one. float[batch, time,
 * size] → the same.
 *
 * `transformerEncoder.init(key, { size, heads, layers, norm, stacked, … })`; with stacked parameters the program is a loop.
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters that are not those of layers
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const config = { size: 8, heads: 2, layers: 3, norm: true };
 * const params = nn.transformerEncoder.init(random.key(0), config);
 * const x = random.normal(random.key(1), [2, 5, 8]);
 * const y = nn.transformerEncoder(params, { norm: 'pre' })(x);
 *
 * const stacked = nn.transformerEncoder.init(random.key(0), { ...config, stacked: true });
 * console.log(np.allclose(nn.transformerEncoder(stacked, { norm: 'pre' })(x), y, { atol: 1e-5 }).item()); // => true
 *
 * const model = nn.serial(nn.learnedPositions.layer(16, 8), nn.transformerEncoder.layer(config), nn.dense.layer(8, 3));
 * console.log(model.apply(model.init(random.key(2)))(x).shape); // => [ 2, 5, 3 ]
 * ```
 */
export const transformerEncoder = Object.assign(applyEncoder, {
  /** A configured layer: `{ init(key), apply(params) }`. */
  layer: (
    config: TransformerStackConfig,
    options: TransformerStackOptions = {},
  ): Layer<TransformerStackParams<EncoderLayerParams>, Tensor, Tensor> => ({
    name: 'transformerEncoder',
    init: (key: Key): TransformerStackParams<EncoderLayerParams> => transformerEncoder.init(key, config),
    apply: (params: TransformerStackParams<EncoderLayerParams>) => applyEncoder(params, options),
  }),
  init: (key: Key, config: TransformerStackConfig): TransformerStackParams<EncoderLayerParams> => {
    const op = `${encoderName}.init`;
    expectOptions(op, config, ...sizes);
    const { size, heads, layers, norm, stacked, ...options } = config;
    return initStack(op, key, size, layers, config, (k) => initEncoderLayer(k, size, heads, options));
  },
});

/**
 * Decoder layers ({@link transformerDecoderLayer}) one after the other, all attending to one memory, and a last norm if the
 * parameters have one. float[batch, time, size] → the same.
 *
 * @throws ShapeError for operands that do not fit, TreeError for parameters that are not those of layers
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.transformerDecoder.init(random.key(0), { size: 8, heads: 2, layers: 2 });
 * const y = nn.transformerDecoder(params, { checkpoint: true })(np.ones([2, 5, 8]), { memory: np.ones([2, 7, 8]) });
 * console.log(y.shape); // => [ 2, 5, 8 ]
 * ```
 */
export const transformerDecoder = Object.assign(applyDecoder, {
  init: (key: Key, config: TransformerStackConfig): TransformerStackParams<DecoderLayerParams> => {
    const op = `${decoderName}.init`;
    expectOptions(op, config, ...sizes, 'memorySize');
    const { size, heads, layers, norm, stacked, ...options } = config;
    return initStack(op, key, size, layers, config, (k) => initDecoderLayer(k, size, heads, options));
  },
});
