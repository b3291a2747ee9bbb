/**
 * A folder of images whose sub-folders are their classes: `pets/cat/tom.png`, `pets/dog/rex.jpg`.
 *
 * Listing reads no image. A set that fits in memory is read at once; one that does not is a stream over the list, whose images
 * are read as they are wanted.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { type Failure, type Reading, readError } from './failure.ts';
import { listEntries } from './file.ts';
import { type ImageOptions, imageOptions, type Pixels, readPixels } from './image.ts';

/** An image by its path, with the place of its class in `classes`. */
export interface ImageFile {
  readonly path: string;
  readonly label: number;
}

/** What a folder of images holds. */
export interface ImageFolder {
  /** Names of the sub-folders, sorted. */
  readonly classes: readonly string[];
  /** The images, by class and name. */
  readonly images: readonly ImageFile[];
}

const extensions = /\.(png|jpe?g)$/i;

/**
 * The images of a folder, one class for each of its sub-folders, sorted by name (by code units, so the same everywhere).
 *
 * Files beside the sub-folders, files with another ending than `.png`, `.jpg` or `.jpeg`, and names that begin with a full stop are
 * passed over; a class may be empty, the whole may not.
 */
export const listImageFolder = (folder: string): Reading<ImageFolder> =>
  pipe(
    listEntries(folder),
    TE.map((entries) => entries.filter(({ name, folder: is }) => is && !name.startsWith('.')).map(({ name }) => name)),
    TE.bindTo('classes'),
    TE.bindW('images', ({ classes }) =>
      pipe(
        classes,
        TE.traverseSeqArray((name) => listEntries(`${folder}/${name}`)),
        TE.map((lists) =>
          lists.flatMap((entries, label) =>
            entries
              .filter(({ name, folder: is }) => !is && extensions.test(name) && !name.startsWith('.'))
              .map(({ name }) => ({ path: `${folder}/${classes[label]}/${name}`, label })),
          ),
        ),
      ),
    ),
    TE.flatMapEither(
      (found): E.Either<Failure, ImageFolder> =>
        found.images.length > 0
          ? E.right(found)
          : E.left(readError(folder, 'no sub-folder of it holds a .png, .jpg or .jpeg file')),
    ),
  );

/** An image with its class. */
export interface ClassedImage extends ImageFile {
  readonly pixels: Pixels;
}

/** Images that are read at one time. */
const atOnce = 8;

/**
 * Read all images of a folder, decoded; see {@link listImageFolder} for what they are, and `readImage` for the options.
 *
 * The first image, in order, that cannot be read or decoded is the failure, with its path.
 *
 * @throws DTypeError for options that there are not, at once and not in the task
 */
export function readImageFolder(
  folder: string,
  options: ImageOptions = {},
): Reading<{ readonly classes: readonly string[]; readonly images: readonly ClassedImage[] }> {
  const checked = imageOptions('io.readImageFolder', options);
  const read = (file: ImageFile): Reading<ClassedImage> =>
    pipe(
      readPixels(file.path, checked),
      TE.map((pixels) => ({ ...file, pixels })),
    );
  return pipe(
    listImageFolder(folder),
    TE.flatMap(({ classes, images }) => async () => {
      const done: ClassedImage[] = [];
      for (let from = 0; from < images.length; from += atOnce) {
        const some = await Promise.all(images.slice(from, from + atOnce).map((file) => read(file)()));
        for (const result of some) {
          if (E.isLeft(result)) return result;
          done.push(result.right);
        }
      }
      return E.right({ classes, images: done });
    }),
  );
}
