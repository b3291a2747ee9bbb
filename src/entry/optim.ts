/** `pullback/optim`: optimizers. */

import './device.ts';

export * from '../optim/index.ts';
