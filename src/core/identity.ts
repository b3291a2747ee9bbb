/** Numbers for the identity of objects and functions, so that they can be part of a key. */

const ids = new WeakMap<object, number>();
let nextId = 1;

/** A number for an object's identity, without keeping the object alive. */
export function identityOf(x: object): number {
  const known = ids.get(x);
  if (known !== undefined) return known;
  ids.set(x, nextId);
  return nextId++;
}
