/**
 * Approximations of the error function and its inverse, which the reference device and the decompositions evaluate.
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

/** A quotient of two polynomials. */
export interface Rational {
  readonly numerator: readonly number[];
  readonly denominator: readonly number[];
}

/**
 * Φ⁻¹, the percentage points of the normal distribution, in three pieces: M. J. Wichura, "Algorithm AS 241", Applied Statistics 37 (1988).
 * In the middle it is (x/2)·R(0.180625 - x²/4) of the probability (1 + x)/2, outside R(r - 1.6) and R(r - 5) with
 * r = √(-log of the tail's area), the latter where r > 5.
 */
export const normalMiddle: Rational = {
  numerator: [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
    33430.57558358813, 2509.0809287301227,
  ],
  denominator: [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852546,
  ],
};
export const normalNear: Rational = {
  numerator: [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  denominator: [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
};
export const normalFar: Rational = {
  numerator: [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
  ],
  denominator: [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 1.8463183175100548e-5,
    1.421511758316446e-7, 2.0442631033899397e-15,
  ],
};
