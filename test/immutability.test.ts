/** The one promise of immutability that is asynchronous; the others are laws. */
import { np } from 'pullback';
import { expect, it } from 'vitest';

it('data() returns a copy: overwriting it changes nothing', async () => {
  const host = Float32Array.of(1, 2, 3);
  const x = np.array(host);
  const pending = x.data();
  host.fill(0);
  const data = await pending;
  expect([...data]).toEqual([1, 2, 3]);
  data.fill(9);
  expect(x.toArray()).toEqual([1, 2, 3]);
  expect([...(await x.data())]).toEqual([1, 2, 3]);
});
