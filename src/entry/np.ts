/** `pullback/np`: NumPy's functions on tensors. */

import './device.ts';

export * from '../ops/np.ts';
