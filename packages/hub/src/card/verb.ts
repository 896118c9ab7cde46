import { verb } from '@ift/core'
import { join } from 'node:path'
import { cardOptions, cardRequest } from './options.js'
import { makeCard } from './make-card.js'
import { refuseEdited, writeCard } from './write-card.js'

export const cardVerb = verb({
  name: 'card',
  description: 'Write the card of an adapter: data, licences, recipe, results, how to run it.',
  example: 'npx ift card ./run',
  help: 'README.md beside the adapter, with the lines that the hub reads. See docs/sharing.md.',
  config: ['weights', 'adapter', 'template'],
  operands: {
    adapter: {
      description: "folder of a run or of an adapter; the config's, or its newest run, when absent",
    },
  },
  options: {
    ...cardOptions,
    repo: {
      type: 'string',
      value: 'org/name',
      description: 'name that the adapter is published under; the commands of the card say it',
    },
    print: { type: 'boolean', description: 'show the card and write nothing' },
    overwrite: { type: 'boolean', description: 'replace a card that somebody has edited' },
  },
  async run({ terminal, session, operands, options }) {
    const request = { ...cardRequest(options), repo: options.repo, adapter: operands.adapter }
    const { found, files } = await makeCard(session, request, (text) => {
      terminal.note(text)
    })
    if (options.print) {
      terminal.out(files.get('README.md')!)
      return 0
    }
    if (!options.overwrite) await refuseEdited(found.dir)
    await writeCard(found.dir, files)
    terminal.note(`written: ${[...files.keys()].map((name) => join(found.dir, name)).join(', ')}`)
    return 0
  },
})
