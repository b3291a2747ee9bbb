/** `pullback/viz`: charts as SVG text. */

export { type LineChart, lineChart, type Series } from '../viz/chart.ts';
