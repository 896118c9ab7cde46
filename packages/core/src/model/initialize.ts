import type { Initializer, ModelRoles } from '../contract/model.js'
import { isNamed, modulesOf } from './roles.js'

export interface DecoderStart {
  readonly layers: number
  readonly roles: ModelRoles
  /** Deviation of matrices and tables; 0.02 when omitted. */
  readonly std?: number
  /** Weight of norms; 1 when omitted. */
  readonly normWeight?: number
}

/**
 * `ModelDefinition.initialize` of a decoder: N(0, std²), what adds to the residual scaled by its 2 · layers additions (GPT-2,
 * Radford et al. 2019); norms change nothing, biases are 0.
 */
export function initializeDecoder(
  path: string,
  { layers, roles, std = 0.02, normWeight = 1 }: DecoderStart,
): Initializer {
  if (path.endsWith('.bias')) return { kind: 'constant', value: 0 }
  const module = path.slice(0, path.lastIndexOf('.'))
  const plays = (...names: readonly ('norm' | 'headNorm' | 'attentionOutput' | 'feedForwardOut')[]) =>
    names.some((role) => modulesOf(roles, role).some((name) => isNamed(module, name)))
  if (plays('norm', 'headNorm')) return { kind: 'constant', value: normWeight }
  const residual = plays('attentionOutput', 'feedForwardOut')
  return { kind: 'normal', std: residual ? std / Math.sqrt(2 * layers) : std }
}
