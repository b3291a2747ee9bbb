/** `pullback/nn`: layers, activations and losses. */

import './device.ts';

export * from '../nn/index.ts';
