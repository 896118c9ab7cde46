import { relative } from 'node:path'
import { baseName, type Ift, type OpenModel, type VerbTerminal } from '@ift/core'

/** Remarks on the model that answers: which it is, and an adapter of the last run that it goes without. */
export async function noteModel(
  ift: Ift,
  open: OpenModel,
  terminal: Pick<VerbTerminal, 'note'>,
): Promise<void> {
  terminal.note(modelLine(open))
  const trained = open.adapterDir === null && open.adapters === null ? await ift.newestAdapter() : null
  if (trained !== null) terminal.note(`The adapter of the last run is not used: --adapter ${near(trained)}`)
}

const near = (dir: string, cwd = process.cwd()) => {
  const path = relative(cwd, dir)
  return path === '' || path.startsWith('..') ? dir : path
}

/** A model in one line: its name, the adapter on it, and the template that it is spoken to with. */
function modelLine({ name, adapterDir, adapters, template }: OpenModel): string {
  return [
    `model: ${name}`,
    ...(adapterDir === null ? [] : [`adapter: ${near(adapterDir)}`]),
    ...(adapters === null
      ? []
      : [`adapters: ${adapters.names.join(' ')}`, `in use: ${adapters.active ?? baseName}`]),
    `template: ${template.name}`,
  ].join(', ')
}
