/**
 * Property tests draw their cases from one seed, so that a failure of a commit is a failure of its change; LAWS_SEED is another. Laws
 * (`laws/`) bring their own.
 */
import * as fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['LAWS_SEED'] ?? 20_240_607) });
