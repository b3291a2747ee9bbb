/** Values that are made of programs: an equal program has the one that was made before, for as long as someone keeps it. */
export class SharedByText<V extends object> {
  private readonly values = new Map<string, WeakRef<V>>();
  private readonly gone = new FinalizationRegistry<string>((text) => {
    if (this.values.get(text)?.deref() === undefined) this.values.delete(text);
  });

  /** @param text - of the program, equal for equal programs */
  of(text: string, make: () => V): V {
    const found = this.values.get(text)?.deref();
    if (found) return found;
    const made = make();
    this.values.delete(text);
    this.values.set(text, new WeakRef(made));
    this.gone.register(made, text);
    // In a loop that never yields nothing is told to be gone.
    if (this.values.size > limit) this.values.delete(this.values.keys().next().value!);
    return made;
  }
}

/** Programs that are found again. */
const limit = 1024;
