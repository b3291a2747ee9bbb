/**
 * Where in the user's program something was written.
 *
 * A location is captured as an unformatted stack (2–3 µs in V8) and formatted only when an error or a print asks for it: the
 * first frame outside this package. In a bundle, where package and program are one file, there is no such frame and the
 * location is unknown.
 */

/** A lazily formatted place in the user's code. */
export interface Source {
  /** `model.ts:41:9`, or `null` where no frame outside the package was found. */
  readonly location: string | null;
}

/** Frames to capture below `bind` (0.5 µs each): the primitive, `np`, a layer, a `pipe` or two, and the user. */
const depth = 9;

/** `Error.captureStackTrace`, where the engine has it: it leaves out the frames above `below`. */
type Capture = (holder: object, below: ((...args: never[]) => unknown) | undefined) => void;
const capture = (Error as { captureStackTrace?: Capture }).captureStackTrace;

/** What is being interpreted now: the operation whose rules are running, or the equation that is being re-traced. */
let ambient: Source | null = null;

/**
 * The source of what is staged now: that of the operation it stems from, else the current stack.
 *
 * @param below - the function (`bind`) whose callers are of interest
 */
export const currentSource = (below?: (...args: never[]) => unknown, frames = depth): Source =>
  ambient ?? captureSource(below, frames);

/** Run `f` so that whatever it stages has `source`. */
export function withSource<A>(source: Source, f: () => A): A {
  const previous = ambient;
  ambient = source;
  try {
    return f();
  } finally {
    ambient = previous;
  }
}

/** The source of what no user wrote. */
export const unknownSource: Source = { location: null };

/** Capture the current stack, without the frames above the last call of `below`. */
export function captureSource(below?: (...args: never[]) => unknown, frames = depth): Source {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = capture ? frames : frames + 8;
  const holder: { readonly stack?: string } = capture && below ? {} : new Error();
  if (capture && below) capture(holder, below);
  Error.stackTraceLimit = limit;
  return new CapturedSource(holder);
}

class CapturedSource implements Source {
  #holder: { readonly stack?: string } | null;
  #location: string | null = null;

  constructor(holder: { readonly stack?: string }) {
    this.#holder = holder;
  }

  get location(): string | null {
    if (this.#holder) {
      this.#location = userFrame(this.#holder.stack ?? '');
      this.#holder = null;
    }
    return this.#location;
  }
}

const plain = (url: string): string => url.replace(/^file:\/\//, '').replace(/[?#][^:]*/, '');

/** `…/pullback/` (sources) or `…/pullback/dist/` (the built package); `null` in a bundle that is a script and has no address. */
const root = rootOf(import.meta.url as string | undefined);

function rootOf(here: string | undefined): string | null {
  return here ? plain(new URL('../../', here).href) : null;
}

const internalFolders = ['src/', 'transforms/', 'backends/', 'laws/'];

const isInternal = (file: string): boolean =>
  file.startsWith('node:') ||
  file.includes('/node_modules/') ||
  (root !== null && file.startsWith(root) && internalFolders.some((dir) => file.startsWith(dir, root.length)));

/** The first `file:line:column` of a stack that is outside the package, relative to the working directory. */
export function userFrame(stack: string): string | null {
  for (const line of stack.split('\n')) {
    const match = /((?:file:\/\/|https?:\/\/|\/|[A-Za-z]:[\\/]|node:)[^\s()]*?):(\d+):(\d+)\)?$/.exec(line);
    if (!match) continue;
    const file = plain(match[1]!);
    if (isInternal(file)) continue;
    return `${relative(file)}:${match[2]}:${match[3]}`;
  }
  return null;
}

function relative(file: string): string {
  const host = globalThis as { process?: { cwd?: () => string } };
  const cwd = host.process?.cwd?.();
  return cwd && file.startsWith(`${cwd}/`) ? file.slice(cwd.length + 1) : file;
}
