/**
 * The computational graph of a program: its equations as nodes, its variables as edges, laid out in layers by dagre.
 *
 * With the values of the inputs, edges carry what flows forward along them and, where the program ends in one number, what
 * flows back: the derivative of that number with respect to the variable.
 */

import { Graph, layout } from '@dagrejs/dagre';
import { grad } from '../../transforms/autodiff.ts';
import { makeAval, showAvalShort } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import {
  type Atom,
  type ClosedJaxpr,
  type Eqn,
  fromEqn,
  isLiteral,
  type Jaxpr,
  literalValue,
  type Var,
} from '../core/jaxpr.ts';
import { variableName } from '../core/pretty.ts';
import { bind } from '../core/trace.ts';
import { Tensor, Value } from '../core/value.ts';
import { add } from '../prim/arithmetic.ts';
import { zeros } from '../prim/compose.ts';
import { reshape } from '../prim/structural.ts';
import { escaped, svgDocument } from './figure.ts';

/** Options of {@link graph}. */
export interface GraphOptions {
  readonly title?: string;
  /** Values of the inputs, in their order: edges of scalars then carry their values and derivatives. */
  readonly at?: readonly (Value | number)[];
  /** Names of the inputs; a, b, c … unless said. */
  readonly names?: readonly string[];
}

/** A node of the drawing. */
interface Node {
  readonly label: string;
  readonly kind: 'input' | 'equation' | 'output';
  width: number;
  height: number;
  x?: number;
  y?: number;
}

/** An edge of the drawing: lines of text beside it. */
interface Edge {
  readonly lines: readonly { readonly text: string; readonly colour: string }[];
  width: number;
  height: number;
  labelpos: 'c';
  x?: number;
  y?: number;
  points?: readonly { readonly x: number; readonly y: number }[];
}

/** What of dagre's graphs is used here. */
interface Drawing {
  setGraph(label: object): unknown;
  setNode(id: string, label: Node): unknown;
  setEdge(from: string, to: string, label: Edge, name: string): unknown;
  graph(): { readonly width?: number; readonly height?: number };
  nodes(): readonly string[];
  node(id: string): Node;
  edges(): readonly object[];
  edge(id: object): Edge;
}

const forward = '#0072b2';
const backward = '#d55e00';

/**
 * Draw a jaxpr as a graph from left to right.
 *
 * @param program - what `makeJaxpr(f)(...args)` gives
 * @throws ShapeError if `at` or `names` are not as many as the inputs
 *
 * @example
 * ```ts
 * import { makeJaxpr, np, type Tensor } from 'pullback';
 * import { graph } from 'pullback/viz';
 * const f = (x: Tensor, y: Tensor) => np.mul(np.add(x, y), np.sin(x));
 * const svg = graph(makeJaxpr(f)(np.zeros([]), np.zeros([])), { at: [1, 2], names: ['x', 'y'] });
 * console.log(svg.includes('sin')); // => true
 * ```
 */
export function graph(program: ClosedJaxpr, { title = '', at, names }: GraphOptions = {}): string {
  const { jaxpr } = program;
  expectAsMany('names', names, jaxpr);
  expectAsMany('values', at, jaxpr);
  const flow = at === undefined ? null : flowOf(program, at);
  const drawing = new Graph({ multigraph: true }) as unknown as Drawing;
  drawing.setGraph({ rankdir: 'LR', nodesep: 22, ranksep: 34, marginx: 16, marginy: 16 });

  /** Where a variable comes from. */
  const origins = new Map<Atom, string>();
  const called = namesOf(jaxpr, names);
  const node = (id: string, label: string, kind: Node['kind']): void => {
    drawing.setNode(id, { label, kind, width: 22 + 7.2 * label.length, height: 30 });
  };
  let edges = 0;
  const edge = (atom: Atom, to: string): void => {
    if (isLiteral(atom)) {
      const id = `literal ${edges}`;
      node(id, shownNumber(atom.value), 'input');
      origins.set(atom, id);
    }
    const lines = linesOf(atom, called.get(atom) ?? '', flow);
    const width = Math.max(8, ...lines.map(({ text }) => 6.8 * text.length));
    drawing.setEdge(origins.get(atom)!, to, { lines, width, height: 15 * lines.length, labelpos: 'c' }, `${edges++}`);
  };

  for (const v of [...jaxpr.consts, ...jaxpr.ins]) {
    const id = `input ${origins.size}`;
    origins.set(v, id);
    node(id, called.get(v)!, 'input');
  }
  jaxpr.eqns.forEach((eqn, i) => {
    const id = `equation ${i}`;
    node(id, labelOf(eqn), 'equation');
    for (const atom of eqn.ins) edge(atom, id);
    for (const v of eqn.outs) origins.set(v, id);
  });
  jaxpr.outs.forEach((atom, i) => {
    const id = `output ${i}`;
    node(id, jaxpr.outs.length === 1 ? 'output' : `output ${i}`, 'output');
    edge(atom, id);
  });
  layout(drawing as unknown as Graph);
  return drawn(drawing, title, flow !== null);
}

function expectAsMany(what: string, given: readonly unknown[] | undefined, { ins }: Jaxpr): void {
  if (given === undefined || given.length === ins.length) return;
  throw new ShapeError({
    op: 'viz.graph',
    problem: `there are ${given.length} ${what} of ${ins.length} inputs`,
    remedy: 'pass one for each input of the jaxpr, leaves of trees in their order',
  });
}

/** Names as the printed program has them, but for the inputs that were given others. */
function namesOf(jaxpr: Jaxpr, names: readonly string[] | undefined): ReadonlyMap<Atom, string> {
  const called = new Map<Atom, string>();
  const vars = [...jaxpr.consts, ...jaxpr.ins, ...jaxpr.eqns.flatMap(({ outs }) => outs)];
  for (const v of vars) called.set(v, variableName(called.size));
  names?.forEach((name, i) => {
    called.set(jaxpr.ins[i]!, name);
  });
  return called;
}

/** The primitive, with the name of the function that it calls, if any. */
const labelOf = ({ primitive, params }: Eqn): string => {
  const name = primitive.higherOrder ? (params as { readonly name?: unknown }).name : undefined;
  return typeof name === 'string' && name !== '' ? `${primitive.name} ${name}` : primitive.name;
};

/** What flows along the variables of a program. */
interface Flow {
  readonly values: ReadonlyMap<Atom, Value>;
  /** Derivatives of the one output; none if there are several, or it is no float scalar. */
  readonly derivatives: ReadonlyMap<Atom, Value>;
}

/**
 * Values of all variables, and derivatives of the output with respect to them: `grad` of the program in which something that is
 * 0 is added to every variable.
 */
function flowOf({ jaxpr, consts }: ClosedJaxpr, at: readonly (Value | number)[]): Flow {
  const inputs = jaxpr.ins.map((v, i) => inputOf(v, at[i]!));
  const vars = [...jaxpr.ins, ...jaxpr.eqns.flatMap(({ outs }) => outs)];
  const values = new Map<Atom, Value>();
  const run = (shifted: (v: Var, value: Value) => Value): Value => {
    const env = new Map<Atom, Value>(jaxpr.consts.map((v, i) => [v, consts[i]!]));
    const read = (atom: Atom): Value => env.get(atom) ?? literalValue(atom as Exclude<Atom, Var>);
    jaxpr.ins.forEach((v, i) => env.set(v, shifted(v, inputs[i]!)));
    for (const eqn of jaxpr.eqns) {
      const outs = fromEqn('drawing', eqn, () => bind(eqn.primitive, eqn.ins.map(read), eqn.params));
      eqn.outs.forEach((v, i) => env.set(v, shifted(v, outs[i]!)));
    }
    return read(jaxpr.outs[0]!);
  };
  run((v, value) => {
    values.set(v, value);
    return value;
  });
  jaxpr.consts.forEach((v, i) => values.set(v, consts[i]!));
  const [out] = jaxpr.outs;
  const isFloat = ({ aval }: Atom): boolean => aval.dtype === 'float32' || aval.dtype === 'float64';
  if (jaxpr.outs.length !== 1 || out!.aval.shape.length > 0 || !isFloat(out!))
    return { values, derivatives: new Map() };
  const active = vars.filter(isFloat);
  const places = new Map(active.map((v, i) => [v, i]));
  const gradient = grad((shifts: readonly Value[]) =>
    run((v, value) => (places.has(v) ? add(value, shifts[places.get(v)!]!) : value)),
  )(active.map((v) => zeros({ ...v.aval, weak: false })));
  return { values, derivatives: new Map(active.map((v, i): [Atom, Value] => [v, gradient[i]!])) };
}

/** An input as a tensor of the variable's type. */
function inputOf({ aval }: Var, given: Value | number): Value {
  const value = given instanceof Value ? given : literalValue({ aval: makeAval([], aval.dtype), value: given });
  if (value.size === aval.size) return value.ndim === aval.shape.length ? value : reshape(value, aval.shape);
  throw new ShapeError({
    op: 'viz.graph',
    problem: `the value of an input ${showAvalShort(aval)} is ${showAvalShort(value.aval)}`,
    remedy: 'pass values of the shapes that the program was made for',
  });
}

function linesOf(atom: Atom, name: string, flow: Flow | null): Edge['lines'] {
  const type = {
    text: isLiteral(atom) ? showAvalShort(atom.aval) : `${name}:${showAvalShort(atom.aval)}`,
    colour: '#555',
  };
  if (flow === null || atom.aval.shape.length > 0) return [type];
  const number = (x: Value | undefined): string | null =>
    x instanceof Tensor ? shownNumber(Number(x.dataSync()[0])) : null;
  const [value, derivative] = [number(flow.values.get(atom)), number(flow.derivatives.get(atom))];
  return [
    ...(value === null ? [type] : [{ text: `${name} = ${value}`, colour: forward }]),
    ...(derivative === null ? [] : [{ text: `∂ = ${derivative}`, colour: backward }]),
  ];
}

/** Three digits of a number, as JavaScript writes the number that they are. */
const shownNumber = (x: number): string => String(Number.isInteger(x) ? x : Number(x.toPrecision(3)));

const fills: Readonly<Record<Node['kind'], string>> = { input: '#eef6ee', equation: '#eef2fb', output: '#fbf1e6' };

function drawn(drawing: Drawing, title: string, withFlow: boolean): string {
  const { width = 0, height = 0 } = drawing.graph();
  const head = (title === '' ? 0 : 26) + (withFlow ? 20 : 0);
  const edges = drawing.edges().map((e) => {
    const { points = [], lines, x = 0, y = 0 } = drawing.edge(e);
    const path = `M${points.map((p) => `${round(p.x)} ${round(p.y)}`).join('L')}`;
    const texts = lines.map(({ text, colour }, i) => {
      const base = y + 15 * (i - (lines.length - 1) / 2) + 4;
      return `<text x="${round(x)}" y="${round(base)}" text-anchor="middle" font-size="11" fill="${colour}" stroke="#fff" stroke-width="3" paint-order="stroke">${escaped(text)}</text>`;
    });
    return `<path d="${path}" fill="none" stroke="#999" marker-end="url(#arrow)"/>${texts.join('')}`;
  });
  const nodes = drawing.nodes().map((id) => {
    const { label, kind, width: w, height: h, x = 0, y = 0 } = drawing.node(id);
    const radius = kind === 'equation' ? 5 : h / 2;
    return `<rect x="${round(x - w / 2)}" y="${round(y - h / 2)}" width="${round(w)}" height="${h}" rx="${radius}" fill="${fills[kind]}" stroke="#777"/><text x="${round(x)}" y="${round(y + 4)}" text-anchor="middle">${escaped(label)}</text>`;
  });
  const [w, h] = [Math.max(Math.ceil(width), title.length * 10 + 32), Math.ceil(height) + head];
  const key = `<tspan fill="${forward}">values</tspan> and <tspan fill="${backward}">derivatives of the output</tspan>`;
  return svgDocument(w, h, title, [
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#999"/></marker></defs>',
    `<rect width="${w}" height="${h}" fill="#fff"/>`,
    ...(title === '' ? [] : [`<text x="16" y="24" font-size="16" font-weight="600">${escaped(title)}</text>`]),
    ...(withFlow ? [`<text x="16" y="${head - 2}">${key}</text>`] : []),
    `<g transform="translate(0,${head})">`,
    ...edges,
    ...nodes,
    '</g>',
  ]);
}

const round = (x: number): number => Math.round(x * 10) / 10;
