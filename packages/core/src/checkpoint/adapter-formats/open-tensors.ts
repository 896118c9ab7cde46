import { openSafetensors } from '../safetensors.js'
import type { StoredTensor } from '../stored.js'
import { openTorch } from '../torch.js'

/** Tensors of a safetensors file, or of a pickle by the end of its name. */
export async function openTensors(path: string): Promise<ReadonlyMap<string, StoredTensor>> {
  const { tensors } = await (/\.(bin|pt)$/.test(path) ? openTorch(path) : openSafetensors(path))
  return tensors
}
