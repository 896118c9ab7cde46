import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAdapter } from '../checkpoint/adapter.js'
import { recordFile, saveModel } from '../checkpoint/save-model.js'
import type { ResolvedConfig } from '../config/schema.js'
import type { AdapterFiles } from '../contract/peft.js'
import type { RunFolder } from '../train/run-folder.js'
import { version } from '../version.js'
import { adapterCard, type CardedAdapter } from './adapter-card.js'
import { recordedQuantize, type AdapterRecord, type ModelFiles, type Quantize } from './model-files.js'
import { modelRecord, type OpenModel } from './open-model.js'

/** The adapter with the template and tokenizer it was trained with, or the whole model. */
export async function saveOutput(
  config: ResolvedConfig,
  open: OpenModel,
  folder: RunFolder,
  data: Pick<CardedAdapter, 'rootDir' | 'datasets' | 'facts'>,
): Promise<string> {
  if (!open.peft) {
    await saveModel(folder.model, { ...open, configJson: open.json, record: modelRecord(open) })
    return folder.model
  }
  const { trainOn } = config
  const files = await open.peft.save()
  const card = await adapterCard({
    ...{ method: config.peft.method, base: open.name, format: files.format ?? 'peft' },
    ...{ family: open.definition.name, template: open.template.name },
    ...data,
  })
  await writeAdapterFolder(folder.adapter, files, { ...open, trainOn }, card)
  return folder.adapter
}

/** Writes an adapter with its tokenizer, the record of what it was made with, and its `card` (README.md). */
export async function writeAdapterFolder(
  dir: string,
  files: AdapterFiles,
  made: Pick<ModelFiles, 'tokenizer' | 'template' | 'learned'> &
    Pick<AdapterRecord, 'trainOn'> & { readonly quantize: Quantize | ModelFiles['quantize'] },
  card?: string,
): Promise<void> {
  const { tokenizer, template, trainOn, quantize, learned } = made
  const record: AdapterRecord = {
    template: template.name,
    ...(trainOn === undefined ? {} : { trainOn }),
    tokenizer: tokenizer.fingerprint,
    quantize: recordedQuantize(quantize),
    eos_token_id: learned,
    ift: version,
  }
  await writeAdapter(dir, files, async (to: string) => {
    await tokenizer.save(to)
    await writeFile(join(to, recordFile), `${JSON.stringify(record, null, 2)}\n`)
    if (card !== undefined) await writeFile(join(to, 'README.md'), card)
  })
}
