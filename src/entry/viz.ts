/** `pullback/viz`: pictures as SVG and HTML text, and curves in a line of text. It needs the packages named in the README. */

import './device.ts';

export { type Histogram, histogram, type LineChart, lineChart, type Series } from '../viz/curves.ts';
export { type GraphOptions, graph } from '../viz/graph.ts';
export type { Grid } from '../viz/grid.ts';
export { type AttentionOverWords, attentionOverWords, type HeatMap, heatMap } from '../viz/heat.ts';
export { type AttentionOverImage, attentionOverImage, type ImageGrid, imageGrid } from '../viz/images.ts';
export type { FigureOptions } from '../viz/options.ts';
export { type Page, page } from '../viz/page.ts';
export { type ContourPlot, contourPlot, type DecisionBoundary, decisionBoundary, type Range } from '../viz/plane.ts';
export { type ScatterPlot, scatterPlot } from '../viz/scatter.ts';
export { sparkline } from '../viz/sparkline.ts';
