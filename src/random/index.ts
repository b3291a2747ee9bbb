/** Random numbers: pure functions of a key. */

export {
  bernoulli,
  type CategoricalOptions,
  type ChoiceOptions,
  categorical,
  choice,
  type PermutationOptions,
  permutation,
  type RademacherOptions,
  type RandintOptions,
  rademacher,
  randint,
} from './discrete.ts';
export {
  type BetaOptions,
  beta,
  type DirichletOptions,
  dirichlet,
  type GammaOptions,
  gamma,
  loggamma,
  type StudentOptions,
  t,
} from './gamma.ts';
export {
  type CovarianceMethod,
  type MultivariateNormalOptions,
  multivariateNormal,
  type OrthogonalOptions,
  orthogonal,
} from './gaussian.ts';
export {
  type CauchyOptions,
  cauchy,
  type LaplaceOptions,
  type LogisticOptions,
  laplace,
  logistic,
  type TruncatedNormalOptions,
  truncatedNormal,
} from './inverse.ts';
export { foldIn, type Key, type Keys, key, split } from './key.ts';
export { type PoissonOptions, poisson } from './poisson.ts';
export {
  bits,
  type ExponentialOptions,
  exponential,
  type GumbelOptions,
  gumbel,
  type NormalOptions,
  normal,
  type UniformOptions,
  uniform,
} from './samplers.ts';
