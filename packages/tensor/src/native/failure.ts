import { IftError, type ErrorCode } from '../errors.js'
import type { Failure } from './addon.js'

const hints: Readonly<Record<string, string>> = {
  IFT_OUT_OF_MEMORY:
    'lower microBatchTokens or maxLength, switch recomputation on, or free tensors; npx ift plan shows what fits',
  IFT_BUFFER_INVALID: 'the tensor was released: keep(t) lets it outlive its scope',
  IFT_LIBRARY_MISSING:
    'CPU ranks: apt-get install openmpi-bin (dnf install openmpi, brew install open-mpi), or name the file: ranks.mpi in the config. GPU ranks: pip install nvidia-nccl-cu13, or ranks.nccl',
  IFT_RANK_MISSING: 'look at what that rank wrote last, or wait longer: ranks.timeout in the config',
  IFT_COLLECTIVE: 'look at what the other ranks wrote; the last checkpoint is intact: --resume',
  IFT_DEVICE_LOST:
    'what was saved before is intact: train again with --resume. nvidia-smi and the Xid lines of dmesg say what happened to the GPU',
  IFT_BACKEND_CLOSED: 'open the backend again',
}

/** A failure of an add-on as an error. */
export const errorOf = (failure: Failure): IftError =>
  new IftError(failure.code as ErrorCode, failure.message, failure.hint ?? hints[failure.code])

/** Throws what the add-on reports. */
export function raise(outcome: Failure | null): void {
  if (outcome !== null) throw errorOf(outcome)
}

/** The value of a call, or its failure thrown. */
export function valueOf<T extends number | object>(result: T | Failure): T {
  if (typeof result === 'object' && 'code' in result) throw errorOf(result)
  return result
}
