/** Random numbers: pure functions of a key. */

export {
  bernoulli,
  type CategoricalOptions,
  type ChoiceOptions,
  categorical,
  choice,
  type PermutationOptions,
  permutation,
  type RandintOptions,
  randint,
} from './discrete.ts';
export { foldIn, type Key, type Keys, key, split } from './key.ts';
export {
  bits,
  type ExponentialOptions,
  exponential,
  type GumbelOptions,
  gumbel,
  type NormalOptions,
  normal,
  type UniformOptions,
  uniform,
} from './samplers.ts';
