/** `pullback/train`: loops around a compiled step. */

import './device.ts';

export * from '../train/index.ts';
