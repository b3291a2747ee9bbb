/** `pullback/reference/np`: the functions of `pullback/np`, on the reference device alone. */

import './device.ts';

export * from '../../ops/np.ts';
