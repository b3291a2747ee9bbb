/**
 * The structure of a tree without its leaves.
 *
 * Leaves are tensors (tracers, avals); nodes are plain objects, arrays and registered types. Everything else is static: part of
 * the structure, compared by value (functions and symbols by identity). The `key` of a structure is a string that equal
 * structures share, which is what caches compare.
 */

import type * as Eq from 'fp-ts/lib/Eq.js';
import { identityOf } from '../core/identity.ts';

/** How a class takes part in trees; see {@link registerNode}. */
export interface NodeType<T, Aux> {
  /** The name shown in structures and error paths. */
  readonly name: string;
  readonly is: (x: unknown) => x is T;
  /** The children by name, and what else is needed to rebuild the node (compared through `auxKey`). */
  readonly flatten: (node: T) => { readonly children: Readonly<Record<string, unknown>>; readonly aux: Aux };
  readonly unflatten: (aux: Aux, children: Readonly<Record<string, unknown>>) => T;
  /** A string that equal `aux` share. */
  readonly auxKey: (aux: Aux) => string;
}

/** The structure of a tree. */
export type TreeDef =
  | { readonly kind: 'leaf'; readonly key: string; readonly size: 1 }
  | { readonly kind: 'static'; readonly key: string; readonly size: 0; readonly value: unknown }
  | { readonly kind: 'array'; readonly key: string; readonly size: number; readonly children: readonly TreeDef[] }
  | {
      readonly kind: 'object';
      readonly key: string;
      readonly size: number;
      readonly names: readonly string[];
      readonly children: readonly TreeDef[];
    }
  | {
      readonly kind: 'node';
      readonly key: string;
      readonly size: number;
      readonly names: readonly string[];
      readonly children: readonly TreeDef[];
      readonly type: NodeType<unknown, unknown>;
      readonly aux: unknown;
    };

export const leafDef: TreeDef = { kind: 'leaf', key: '*', size: 1 };

export const staticDef = (value: unknown): TreeDef => ({ kind: 'static', key: staticKey(value), size: 0, value });

export const arrayDef = (children: readonly TreeDef[]): TreeDef => ({
  kind: 'array',
  key: `[${children.map((c) => c.key).join()}]`,
  size: total(children),
  children,
});

export const objectDef = (names: readonly string[], children: readonly TreeDef[]): TreeDef => ({
  kind: 'object',
  key: `{${keyed(names, children)}}`,
  size: total(children),
  names,
  children,
});

export const nodeDef = (
  type: NodeType<unknown, unknown>,
  aux: unknown,
  names: readonly string[],
  children: readonly TreeDef[],
): TreeDef => ({
  kind: 'node',
  key: `${type.name}<${JSON.stringify(type.auxKey(aux))}>{${keyed(names, children)}}`,
  size: total(children),
  names,
  children,
  type,
  aux,
});

const total = (children: readonly TreeDef[]): number => children.reduce((sum, c) => sum + c.size, 0);

const keyed = (names: readonly string[], children: readonly TreeDef[]): string =>
  children.map((c, i) => `${JSON.stringify(names[i])}:${c.key}`).join();

function staticKey(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return `f#${identityOf(value)}`;
    case 'symbol':
      return `s#${symbolId(value)}`;
    default:
      return String(value);
  }
}

const symbols = new Map<symbol, number>();

/** A number for a symbol's identity (symbols cannot be held weakly everywhere; programs have few). */
function symbolId(symbol: symbol): number {
  const id = symbols.get(symbol) ?? symbols.size;
  symbols.set(symbol, id);
  return id;
}

/** Two structures are equal if they have the same nodes and statics. */
export const eqTreeDef: Eq.Eq<TreeDef> = { equals: (a, b) => a === b || a.key === b.key };

/** The structure as text, leaves as `*`: `{"b":*,"w":*}`. */
export const showTreeDef = (def: TreeDef): string => def.key;

/** The paths of the leaves, in order: `params.layers[2].w`. */
export function leafPaths(def: TreeDef, root = ''): readonly string[] {
  const paths: string[] = [];
  const visit = (d: TreeDef, path: string): void => {
    if (d.kind === 'leaf') paths.push(path);
    else if (d.kind === 'array') d.children.forEach((c, i) => visit(c, `${path}[${i}]`));
    else if (d.kind !== 'static') d.children.forEach((c, i) => visit(c, join(path, d.names[i]!)));
  };
  visit(def, root);
  return paths;
}

/** The static leaves by path, each with its key. */
export function staticLeaves(def: TreeDef, root = ''): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (d: TreeDef, path: string): void => {
    if (d.kind === 'static') found.set(path, d.key);
    else if (d.kind === 'array') d.children.forEach((c, i) => visit(c, `${path}[${i}]`));
    else if (d.kind !== 'leaf') d.children.forEach((c, i) => visit(c, join(path, d.names[i]!)));
  };
  visit(def, root);
  return found;
}

/** `path.name`, or `path["odd name"]`. */
export const join = (path: string, name: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(name) ? (path ? `${path}.${name}` : name) : `${path}[${JSON.stringify(name)}]`;

/**
 * The first place where two structures differ, for error messages; `null` if they are equal.
 *
 * @param path - the name of the whole tree
 */
export function difference(a: TreeDef, b: TreeDef, path: string): string | null {
  if (a.key === b.key) return null;
  if (a.kind !== b.kind || !('children' in a) || !('children' in b)) {
    return `${path || 'the tree'}: ${describe(a)} beside ${describe(b)}`;
  }
  if (a.kind === 'array' || b.kind === 'array') {
    if (a.children.length !== b.children.length) {
      return `${path || 'the tree'}: ${a.children.length} elements beside ${b.children.length}`;
    }
  } else {
    const missing = a.names.find((n) => !b.names.includes(n)) ?? b.names.find((n) => !a.names.includes(n));
    if (missing !== undefined) return `${join(path, missing)} is in only one of the two`;
  }
  for (let i = 0; i < a.children.length; i++) {
    const child = a.kind === 'array' ? `${path}[${i}]` : join(path, (a as { names: readonly string[] }).names[i]!);
    const found = difference(a.children[i]!, b.children[i]!, child);
    if (found) return found;
  }
  return `${path || 'the tree'}: ${describe(a)} beside ${describe(b)}`;
}

const describe = (def: TreeDef): string =>
  def.kind === 'leaf' ? 'a tensor' : def.kind === 'static' ? `the static ${def.key}` : `${def.kind} ${def.key}`;
