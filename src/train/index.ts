/** Loops that train: around a step that is compiled once, with a carry of which they take care. */

export { type FoldOptions, fold, iterate } from './fold.ts';
