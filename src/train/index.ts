/** Training: loops around a step that is compiled once, with a carry of which they take care; runs that are saved and resumed. */

export { earlyStopping, type FitOptions, fit, type Told, type TrainData, type TrainStep } from './fit.ts';
export { type FoldOptions, fold, iterate } from './fold.ts';
export { type Progress, terminalProgress } from './progress.ts';
export { type Restored, type RestoreOptions, restorePartly } from './restore.ts';
export { type Best, type EpochRecord, type Measures, openRun, type Run, readRun, startRun, writeRun } from './run.ts';
