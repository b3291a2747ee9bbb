/** How much memory a device may take if nobody says. */

const mebibyte = 2 ** 20;

/** Linear memory has 32-bit addresses, and vectors are read beyond the end of a tensor: the last page stays unused. */
export const largestBudget = 2 ** 32 - 2 ** 16;

interface Host {
  readonly process?: {
    getBuiltinModule?(id: string): { totalmem?(): number } | undefined;
    constrainedMemory?(): number;
  };
  readonly navigator?: { readonly deviceMemory?: number };
}

/**
 * A quarter of the machine's memory (of the container's, where that is less), at most 2 GiB; 512 MiB where a browser does not
 * say what the machine has.
 */
export function defaultBudget(host: Host = globalThis as Host): number {
  const total = memoryOf(host);
  return total === null ? 512 * mebibyte : Math.min(Math.floor(total / 4), 2048 * mebibyte);
}

/** The bytes that this process could have. */
function memoryOf({ process, navigator }: Host): number | null {
  // `getBuiltinModule` and no import: this file is loaded by browsers as well.
  const machine = process?.getBuiltinModule?.('node:os')?.totalmem?.();
  if (machine !== undefined) {
    const container = process?.constrainedMemory?.() ?? 0;
    return container > 0 ? Math.min(machine, container) : machine;
  }
  return navigator?.deviceMemory === undefined ? null : navigator.deviceMemory * 1024 * mebibyte;
}
