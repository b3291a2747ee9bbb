/** What is asked for, and why there is none: types that mention none of a GPU's own, which users need not have. */

/** Why there is no device. `message` is complete. */
export interface DeviceError {
  readonly _tag: 'NoWebGpu' | 'NoAdapter' | 'NoDevice';
  readonly message: string;
}

/** Which of a machine's GPUs: the fast one, or the one that saves power. */
export type PowerPreference = 'high-performance' | 'low-power';
