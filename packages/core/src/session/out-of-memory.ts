import { IftError } from '@ift/tensor'
import type { Plan } from '../train/plan.js'
import { remedies, type RemedyInput } from '../train/remedies.js'

const size = (bytes: number) =>
  bytes < 2 ** 30 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 30).toFixed(2)} GiB`

/**
 * An error of a full device with what the plan had said, and the three settings that would help most; null for other
 * errors. `limit` is the memory of the device, or null where it is unknown.
 */
export async function explainMemory(
  error: unknown,
  planned: Plan,
  input: RemedyInput,
  limit: number | null,
): Promise<IftError | null> {
  if (!(error instanceof IftError) || error.code !== 'IFT_OUT_OF_MEMORY') return null
  const message =
    `${error.message}. The plan was ${size(planned.total)}: weights ${size(planned.weights)}, optimiser ` +
    `${size(planned.training)}, activations ${size(planned.activations)}, workspace ${size(planned.workspace)}` +
    `${limit === null ? '' : `, of ${size(limit)}`}. What was saved before is intact.`
  // A plan that should have fitted was too small: ask for less than it by a tenth.
  const target = Math.min(limit ?? Infinity, 0.9 * planned.reserved)
  const settings = (await remedies(input, planned, target)).slice(0, 3)
  const hint = settings.length
    ? `Any of: ${settings.map(({ flag, saves, fits }) => `${flag} (saves ${size(saves)}${fits ? '' : ', not enough alone'})`).join('; ')}`
    : 'Nothing in the config makes this run much smaller: take a smaller model, or a device with more memory.'
  return new IftError('IFT_OUT_OF_MEMORY', message, hint, { cause: error })
}
