/**
 * Names for WGSL. No keyword, reserved word or built-in has one letter or ends with an underscore, so longer names get one, and
 * lists of words are not needed.
 */
export class Names {
  private readonly given = new Map<object, string>();
  /** Parameters of entry points, and of kernels. */
  private readonly taken = new Set<string>([
    'g',
    'w',
    'n',
    'id',
    'lane',
    'p0_',
    'p1_',
    'p2_',
    'p3_',
    'p4_',
    'p5_',
    'p6_',
    'p7_',
  ]);

  of(thing: { readonly name: string }): string {
    let name = this.given.get(thing);
    if (name === undefined) {
      const letters = thing.name.replace(/\W/g, '_').replace(/^[\d_]/, 'v$&');
      name = this.unique(letters.length === 1 ? letters : `${letters.replace(/_+$/, '')}_`);
      this.given.set(thing, name);
    }
    return name;
  }

  /** A name that nothing has: `t0`, `t1`, … or, of an own name, `s1`. */
  fresh(stem: string): string {
    for (let i = 0; ; i++) {
      const name = `${stem}${i}`;
      if (!this.taken.has(name)) {
        this.taken.add(name);
        return name;
      }
    }
  }

  private unique(name: string): string {
    if (!this.taken.has(name)) {
      this.taken.add(name);
      return name;
    }
    return this.fresh(name.endsWith('_') ? name : `${name}_`);
  }
}
