/** Metrics: monoids of what batches say. */

export { type AverageOptions, confusionMatrix, f1, precision, recall } from './confusion.ts';
export { accuracy, binaryAccuracy, mean, perplexity, type Share, topK, type Weighted } from './measures.ts';
export { type LabelOptions, type Metric, struct } from './metric.ts';
