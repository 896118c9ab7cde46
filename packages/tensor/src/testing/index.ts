export { backendConformance, type ConformanceCase } from './conformance.js'
export { gradientCheck, type GradientCheckOptions } from './gradient-check.js'
export { assertNoLeaks } from './leaks.js'
