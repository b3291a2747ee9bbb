/** What all figures are told: apart from what draws them, whose types a user's compiler need not read. */

/** What all figures have. */
export interface FigureOptions {
  readonly title?: string;
  /** Pixels. */
  readonly width?: number;
  readonly height?: number;
}
