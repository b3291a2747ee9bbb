/** Every primitive: the first-order ones of `src/prim`, and those whose rules are transforms. Devices and laws are total over it. */

import type { ParamsOf } from '../src/core/primitive.ts';
import { type FirstOrderName, firstOrder } from '../src/prim/registry.ts';
import { jitP } from './call.ts';
import { checkpointP } from './checkpoint.ts';
import { condP } from './cond.ts';
import { customJvpP } from './custom-jvp.ts';
import { customLinP } from './custom-lin.ts';
import { customVjpP } from './custom-vjp.ts';
import { customVmapP } from './custom-vmap.ts';
import { customLinearSolveP } from './linear-solve.ts';
import { scanP } from './scan.ts';
import { whileP } from './while.ts';

export const primitives = {
  ...firstOrder,
  jit: jitP,
  checkpoint: checkpointP,
  custom_jvp: customJvpP,
  custom_vjp: customVjpP,
  custom_vmap: customVmapP,
  custom_lin: customLinP,
  custom_linear_solve: customLinearSolveP,
  scan: scanP,
  while: whileP,
  cond: condP,
} as const;

/** The name of any primitive. */
export type PrimitiveName = keyof typeof primitives;

/** The names of those whose parameters hold jaxprs. */
export type HigherOrderName = Exclude<PrimitiveName, FirstOrderName>;

/** The calls among them: a program stands in their place before a device lowers them. */
export type CallName =
  | 'jit'
  | 'checkpoint'
  | 'custom_jvp'
  | 'custom_vjp'
  | 'custom_lin'
  | 'custom_vmap'
  | 'custom_linear_solve';

/** The parameters of a primitive, by name. */
export type PrimitiveParams<Name extends PrimitiveName> = ParamsOf<(typeof primitives)[Name]>;
