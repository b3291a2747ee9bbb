/** Random numbers: pure functions of a key. */

export { foldIn, type Key, type Keys, key, split } from './key.ts';
export { bits, type NormalOptions, normal, type UniformOptions, uniform } from './samplers.ts';
