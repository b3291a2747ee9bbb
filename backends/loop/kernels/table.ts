/** The primitives that are loops of their own. */

import * as lines from './lines.ts';
import * as scatter from './scatter.ts';
import * as select from './select.ts';
import * as sorting from './sort.ts';

export const writers = {
  argmax: lines.argmax,
  argmin: lines.argmin,
  cumsum: lines.cumsum,
  cumprod: lines.cumprod,
  cummax: lines.cummax,
  cummin: lines.cummin,
  cumlogsumexp: lines.cumlogsumexp,
  sort: sorting.sort,
  top_k: sorting.topK,
  select_and_gather_add: select.selectAndGatherAdd,
  select_and_scatter_add: select.selectAndScatterAdd,
  scatter: scatter.scatter,
  scatter_add: scatter.scatterAdd,
  scatter_mul: scatter.scatterMul,
  scatter_min: scatter.scatterMin,
  scatter_max: scatter.scatterMax,
  dynamic_update_slice: scatter.dynamicUpdateSlice,
} as const;
