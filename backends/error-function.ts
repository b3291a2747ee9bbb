/**
 * Approximations of the error function, which the reference device and the decompositions evaluate.
 *
 * For |x| ≤ ¾, erf x = x·P(x²). Beyond, erfc x = exp(-x²)·Q(t)/(x + 1) with t = (x - 3¾)/(x + 3¾), which maps the rest of the
 * line to an interval on which Q, nearly constant, is a polynomial. P and Q interpolate at Chebyshev points, in 60 digits; see
 * `test/fixtures/error-function.py`.
 */

/** Where the two approximations of the error function meet. */
export const joint = 0.75;
/** t of infinity is 1, and of this 0. */
export const pole = 3.75;

/** P, the lowest power first. */
export const middle: readonly number[] = [
  1.1283791670955126, -0.37612638903183715, 0.11283791670952596, -0.026866170644428485, 0.005223977615420539,
  -0.0008548326188759752, 0.00012055289567541706, -1.4924196305569617e-5, 1.643068417974155e-6, -1.5940066854661717e-7,
  1.1472499701094691e-8,
];

/** Q, the lowest power first. */
export const tail: readonly number[] = [
  0.691551176056433, -0.20683126504048677, 0.11479674120104161, -0.04064757851688523, -0.0030998090546923707,
  0.018750997232536284, -0.01727508731063544, 0.010070828135720184, -0.003971808545114214, 0.0008650452209753871,
  7.062531798155036e-5, -0.00012112734691102438, 2.761718101109514e-5, 8.098942442123981e-6, -5.349690331133855e-6,
  -1.5259726832340098e-7, 7.862865645717991e-7, -7.318662813111265e-8, -1.1316809694062554e-7, 2.4647967179280088e-8,
  1.3165989033648672e-8, -5.987741141774453e-9, 6.038849048133086e-10,
];
