export { assertNoLeaks } from './leaks.js'
export { gradientCheck, type GradientCheckOptions } from './gradient-check.js'
