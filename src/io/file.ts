/**
 * Reading and writing files.
 *
 * The file system is imported when a function is called, under a name that no bundler follows, so that an entry point which
 * reaches this file still bundles and loads for a browser; there the task resolves to a `ReadError`.
 */

import type * as FileSystem from 'node:fs/promises';
import type * as Paths from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { type ReadError, readError, type WriteError, writeError } from './failure.ts';

const modules: Readonly<Record<'fileSystem' | 'paths', string>> = {
  fileSystem: 'node:fs/promises',
  paths: 'node:path',
};
const fileSystem = (): Promise<typeof FileSystem> => import(/* @vite-ignore */ modules.fileSystem);
const paths = (): Promise<typeof Paths> => import(/* @vite-ignore */ modules.paths);

/** All bytes of a file. */
export const readBytes = (path: string): TE.TaskEither<ReadError, Uint8Array> =>
  pipe(
    TE.tryCatch(
      async () => (await fileSystem()).readFile(path),
      (error) => readError(path, reasonOf(error)),
    ),
    // A Buffer may be a window on a pool that others write to; a plain array of its own is not.
    TE.map((buffer) => new Uint8Array(buffer)),
  );

/** Is there a file or a folder of this name? Where that cannot be known, as without permission, the task fails. */
export const fileExists = (path: string): TE.TaskEither<ReadError, boolean> =>
  TE.tryCatch(
    async () =>
      (await fileSystem()).stat(path).then(
        () => true,
        (error: { readonly code?: unknown }) => {
          if (error.code === 'ENOENT') return false;
          throw error;
        },
      ),
    (error) => readError(path, reasonOf(error)),
  );

/** Names of what a folder holds, sorted. */
export const listFolder = (path: string): TE.TaskEither<ReadError, readonly string[]> =>
  TE.tryCatch(
    async () => (await (await fileSystem()).readdir(path)).sort(),
    (error) => readError(path, reasonOf(error)),
  );

/** Something in a folder. */
export interface Entry {
  readonly name: string;
  /** A folder, or a link to one; everything else counts as a file. */
  readonly folder: boolean;
}

/** What a folder holds, sorted by name. */
export const listEntries = (path: string): TE.TaskEither<ReadError, readonly Entry[]> =>
  TE.tryCatch(
    async () => {
      const { readdir, stat } = await fileSystem();
      const { join } = await paths();
      const isFolder = (name: string): Promise<boolean> =>
        stat(join(path, name)).then(
          (found) => found.isDirectory(),
          () => false,
        );
      const names = (await readdir(path)).sort();
      return Promise.all(names.map(async (name) => ({ name, folder: await isFolder(name) })));
    },
    (error) => readError(path, reasonOf(error)),
  );

/**
 * Write bytes as a file, whole or not at all, making the folders on the way to it; gives back its path.
 *
 * The bytes go to a new file beside the old one, reach the disk, and then take its name in one step: whoever reads the path
 * sees what was there before or all that is written now, also when the process dies on the way.
 */
export const writeBytes = (path: string, bytes: Uint8Array): TE.TaskEither<WriteError, string> =>
  TE.tryCatch(
    async () => {
      const { open, rename, rm } = await fileSystem();
      const { basename, dirname, join } = await paths();
      await makeFolders(dirname(path));
      const beside = join(dirname(path), `.${basename(path).slice(0, 100)}.${globalThis.crypto.randomUUID()}.part`);
      try {
        const file = await open(beside, 'wx');
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(beside, path);
      } catch (error) {
        await rm(beside, { force: true });
        throw error;
      }
      return path;
    },
    (error) => writeError(path, reasonOf(error)),
  );

/** Make a folder, and those on the way to it, unless it is there; it must be one to write in. Gives back its path. */
export const makeFolder = (path: string): TE.TaskEither<WriteError, string> =>
  TE.tryCatch(
    async () => {
      const { access, constants } = await fileSystem();
      await makeFolders(path);
      await access(path, constants.W_OK);
      return path;
    },
    (error) => writeError(path, reasonOf(error)),
  );

/** {@link writeBytes} of text, as UTF-8. */
export const writeText = (path: string, text: string): TE.TaskEither<WriteError, string> =>
  writeBytes(path, new TextEncoder().encode(text));

/** `mkdir -p`. Node's own, `{ recursive: true }`, never returns where the system refuses with ENOENT, as in /proc. */
async function makeFolders(path: string): Promise<void> {
  const { mkdir, stat } = await fileSystem();
  const { dirname } = await paths();
  const make = async (onMissing: (error: unknown) => Promise<void>): Promise<void> => {
    try {
      await mkdir(path);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return onMissing(error);
      const isFolder = await stat(path).then(
        (found) => found.isDirectory(),
        () => false,
      );
      if (!isFolder) throw error;
    }
  };
  await make(async (error) => {
    if (dirname(path) === path) throw error;
    await makeFolders(dirname(path));
    await make((again) => Promise.reject(again));
  });
}

/** What the system said, without its repetition of the path. */
const reasonOf = (error: unknown): string => {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === 'ENOENT') return 'no such file or folder';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder, not a file';
  if (code === 'ENOTDIR') return 'it is not a folder';
  if (code === 'EEXIST') return 'it is a file, not a folder';
  return typeof message === 'string' ? message : String(error);
};
