/** `pullback/viz`: charts as SVG text. */

import './device.ts';

export { type LineChart, lineChart, type Series } from '../viz/chart.ts';
