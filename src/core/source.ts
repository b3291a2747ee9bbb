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

/** Frames to capture (0.5 µs each): an operation's user is nine frames up at most, as the first transform to see it captures. */
const depth = 10;

/** What is being interpreted now: the operation whose rules are running, or the equation that is being re-traced. */
let ambient: Source | null = null;

/** The source of what is staged now: that of the operation it stems from, else the current stack. */
export const currentSource = (frames = depth): Source => ambient ?? captureSource(frames);

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

/** Capture the current stack. */
export function captureSource(frames = depth): Source {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  const error = new Error();
  Error.stackTraceLimit = limit;
  return new CapturedSource(error);
}

class CapturedSource implements Source {
  #error: Error | null;
  #location: string | null = null;

  constructor(error: Error) {
    this.#error = error;
  }

  get location(): string | null {
    if (this.#error) {
      this.#location = userFrame(this.#error.stack ?? '');
      this.#error = null;
    }
    return this.#location;
  }
}

const plain = (url: string): string => url.replace(/^file:\/\//, '').replace(/[?#][^:]*/, '');

/** `…/pullback/` (sources) or `…/pullback/dist/` (the built package). */
const root = plain(new URL('../../', import.meta.url).href);

const internalFolders = ['src/', 'transforms/', 'backends/', 'laws/', 'node_modules/'];

const isInternal = (file: string): boolean =>
  file.startsWith('node:') ||
  (file.startsWith(root) && internalFolders.some((dir) => file.startsWith(dir, root.length)));

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
