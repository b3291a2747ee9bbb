/**
 * Structural identity of jaxprs: equality and hash up to the names of variables.
 *
 * Both are computed from the inline text, in which names follow the order of binding; numbers print in full precision, so
 * different programs have different texts.
 */

import type * as Eq from 'fp-ts/lib/Eq.js';
import { identityOf } from './identity.ts';
import { isJaxpr, type Jaxpr } from './jaxpr.ts';
import { structuralText } from './pretty.ts';

const texts = new WeakMap<Jaxpr, string>();

function textOf(jaxpr: Jaxpr): string {
  const known = texts.get(jaxpr);
  if (known !== undefined) return known;
  const text = structuralText(jaxpr);
  texts.set(jaxpr, text);
  return text;
}

/** Are two programs the same up to the names of their variables? */
export const eqJaxpr: Eq.Eq<Jaxpr> = { equals: (a, b) => a === b || textOf(a) === textOf(b) };

/** A 53-bit hash that α-equivalent programs share, as 14 hexadecimal digits (cyrb53, public domain). */
export function hashJaxpr(jaxpr: Jaxpr): string {
  const text = textOf(jaxpr);
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(16).padStart(14, '0');
}

/**
 * Parameters as text, equal for equal ones; `jaxprText` says how inner jaxprs enter. Numbers keep −0, NaN and the infinities apart,
 * functions are equal if they are the same one: two of one text may have captured different things.
 */
export function paramsText(params: object, jaxprText: (jaxpr: Jaxpr) => string): string {
  const show = (value: unknown): string => {
    if (typeof value === 'number') return Object.is(value, -0) ? '-0' : `${value}`;
    if (typeof value === 'string') return JSON.stringify(value);
    if (Array.isArray(value)) return `[${value.map(show).join()}]`;
    if (isJaxpr(value)) return jaxprText(value);
    if (typeof value === 'function') return `f#${identityOf(value)}`;
    return typeof value === 'object' && value !== null ? `{${entries(value)}}` : String(value);
  };
  const entries = (object: object): string => {
    let text = '';
    for (const key of Object.keys(object).sort()) text += `${key}:${show((object as Record<string, unknown>)[key])},`;
    return text;
  };
  return entries(params);
}
