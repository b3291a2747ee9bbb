/** The default device: registered by the entry point, made when it is first asked for, and what programs choose instead. */

import { type Device, defaultDevice, np, referenceDevice, setDefaultDevice, withDefaultDevice } from 'pullback';
import { afterEach, expect, test } from 'vitest';
import { registerDefaultDevice } from '../../src/core/backend.ts';

const before = setDefaultDevice(null);
afterEach(() => {
  setDefaultDevice(before);
});

test('is the WebAssembly device, and one device however often it is asked for', () => {
  setDefaultDevice(null);
  const registered = defaultDevice();
  expect(registered.name).toBe('wasm');
  expect(setDefaultDevice(referenceDevice())).toBeNull();
  expect(setDefaultDevice(null)?.name).toBe('reference');
  expect(defaultDevice()).toBe(registered);
});

test('the first registration counts, and others make nothing', () => {
  setDefaultDevice(null);
  let made = 0;
  registerDefaultDevice((): Device => {
    made++;
    return referenceDevice();
  });
  expect([defaultDevice().name, made]).toEqual(['wasm', 0]);
});

test('a function that would go on later, on another device, is refused', () => {
  const later = async (): Promise<void> => Promise.reject(new Error('lost'));
  expect(() => withDefaultDevice(referenceDevice(), later)).toThrow(
    'withDefaultDevice: f returned a Promise: what is computed after an await would be on another device',
  );
  expect(defaultDevice().name).toBe('wasm');
});

test('another device holds within a function, and what is there stays what it is', () => {
  setDefaultDevice(null);
  const there = withDefaultDevice(referenceDevice(), () => np.add(np.array([1, 2]), 1));
  expect(defaultDevice().name).toBe('wasm');
  expect(np.add(there, 1).toArray()).toEqual([3, 4]);
});
