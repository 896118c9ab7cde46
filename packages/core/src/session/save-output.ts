import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAdapter } from '../checkpoint/adapter.js'
import { recordFile, saveModel } from '../checkpoint/save-model.js'
import type { ResolvedConfig } from '../config/schema.js'
import type { RunFolder } from '../train/run-folder.js'
import { version } from '../version.js'
import { modelRecord, type OpenModel } from './open-model.js'

/** The adapter with the template and tokenizer it was trained with, or the whole model. */
export async function saveOutput(
  config: ResolvedConfig,
  open: OpenModel,
  folder: RunFolder,
): Promise<string> {
  if (!open.peft) {
    await saveModel(folder.model, { ...open, configJson: open.json, record: modelRecord(open) })
    return folder.model
  }
  await writeAdapter(folder.adapter, await open.peft.save(), async (dir: string) => {
    await open.tokenizer.save(dir)
    await writeFile(
      join(dir, recordFile),
      `${JSON.stringify({ template: open.template.name, trainOn: config.trainOn, tokenizer: open.tokenizer.fingerprint, quantize: open.quantize, eos_token_id: open.learned, ift: version }, null, 2)}\n`,
    )
  })
  return folder.adapter
}
