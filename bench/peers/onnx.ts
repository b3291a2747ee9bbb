/** ONNX models as bytes: as much of the protocol buffers of `onnx.proto` as graphs of a few nodes need. */

type Bytes = readonly number[];

/** Unsigned, in groups of seven bits. */
function varint(n: number): Bytes {
  return n < 0x80 ? [n] : [(n % 0x80) | 0x80, ...varint(Math.floor(n / 0x80))];
}
/** −1 as the ten bytes of an int64. */
const minusOne: Bytes = [...Array.from({ length: 9 }, () => 0xff), 1];

const key = (field: number, wire: number): Bytes => varint(field * 8 + wire);
const message = (field: number, bytes: Bytes): Bytes => [...key(field, 2), ...varint(bytes.length), ...bytes];
const text = (field: number, value: string): Bytes => message(field, [...Buffer.from(value)]);
const integer = (field: number, n: number): Bytes => [...key(field, 0), ...(n < 0 ? minusOne : varint(n))];

/** A tensor that goes into a graph or comes out of it: float32. */
export interface Port {
  readonly name: string;
  readonly shape: readonly number[];
}

const port = ({ name, shape }: Port): Bytes => {
  const dims = shape.flatMap((length) => message(1, integer(1, length)));
  const type = [...integer(1, 1), ...message(2, dims)];
  return [...text(1, name), ...message(2, message(1, type))];
};

/** An attribute: an integer from −1 up, or a string. */
export type Attribute = number | string;

const attribute = (name: string, value: Attribute): Bytes =>
  typeof value === 'number'
    ? [...text(1, name), ...integer(3, value), ...integer(20, 2)]
    : [...text(1, name), ...text(4, value), ...integer(20, 3)];

/** A node: an operator of the standard set, names of inputs, the name of its output. */
export const node = (
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Bytes => [
  ...inputs.flatMap((name) => text(1, name)),
  ...text(2, output),
  ...text(4, operator),
  ...Object.entries(attributes).flatMap(([name, value]) => message(5, attribute(name, value))),
];

/** A model of opset 17. */
export function model(nodes: readonly Bytes[], inputs: readonly Port[], output: Port): Uint8Array {
  const graph = [
    ...nodes.flatMap((one) => message(1, one)),
    ...text(2, 'graph'),
    ...inputs.flatMap((input) => message(11, port(input))),
    ...message(12, port(output)),
  ];
  return Uint8Array.from([...integer(1, 8), ...message(7, graph), ...message(8, integer(2, 17))]);
}
