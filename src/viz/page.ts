/** Figures with words around them, as one page that needs nothing else. */

import { escaped } from './figure.ts';

/** What a page holds. */
export interface Page {
  readonly title: string;
  /** A sentence or two under the title. */
  readonly about?: string;
  readonly figures: readonly { readonly svg: string; readonly caption?: string }[];
}

const style =
  "body{font:16px/1.5 system-ui,'Segoe UI','DejaVu Sans',sans-serif;color:#222;max-width:60rem;margin:2rem auto;padding:0 1rem}" +
  'figure{margin:2rem 0}figcaption{color:#555}svg{max-width:100%;height:auto}';

/**
 * An HTML page of figures and their captions.
 *
 * @example
 * ```ts
 * import { heatMap, page } from 'pullback/viz';
 * const html = page({ title: 'Weights', figures: [{ svg: heatMap({ values: [[1, 2]] }), caption: 'The first layer.' }] });
 * console.log(html.includes('<figcaption>The first layer.</figcaption>')); // => true
 * ```
 */
export const page = ({ title, about, figures }: Page): string =>
  [
    '<!DOCTYPE html>',
    '<html lang="en">',
    `<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><style>${style}</style></head>`,
    '<body>',
    `<h1>${escaped(title)}</h1>`,
    ...(about === undefined ? [] : [`<p>${escaped(about)}</p>`]),
    ...figures.map(
      ({ svg, caption }) =>
        `<figure>${svg}${caption === undefined ? '' : `<figcaption>${escaped(caption)}</figcaption>`}</figure>`,
    ),
    '</body>',
    '</html>',
    '',
  ].join('\n');
