/** Pixels inside of a figure: a PNG in the text of its address. */

import { encode } from 'fast-png';

/** The address of an image, of bytes red, green, blue, opacity for each pixel, row by row. */
export function pngAddress(width: number, height: number, rgba: Uint8Array): string {
  const bytes = encode({ width, height, data: rgba, channels: 4, depth: 8 });
  let text = '';
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return `data:image/png;base64,${btoa(text)}`;
}

/** A colour `#rrggbb` as its three bytes. */
export const bytesOfColour = (colour: string): readonly [number, number, number] => {
  const rgb = Number.parseInt(colour.slice(1), 16);
  return [rgb >> 16, (rgb >> 8) & 255, rgb & 255];
};
