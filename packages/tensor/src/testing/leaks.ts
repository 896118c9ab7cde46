import type { Backend } from '../backend.js'
import { IftError } from '../errors.js'

/**
 * Notes the buffers alive on `backend` and gives a check that there are exactly as many again: `IFT_LEAK` names the
 * difference. Call it before the work, and the result after.
 */
export function assertNoLeaks(backend: Backend): () => void {
  const before = backend.memory()
  return () => {
    const after = backend.memory()
    if (after.buffers === before.buffers && after.allocated === before.allocated) return
    throw new IftError(
      'IFT_LEAK',
      `${backend.name}: expected ${before.buffers} buffers and ${before.allocated} bytes, found ` +
        `${after.buffers} and ${after.allocated}`,
      'Return tensors from scopes or release what was kept; call zeroGrad() on parameters.',
    )
  }
}
