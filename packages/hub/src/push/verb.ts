import { verb } from '@ift/core'
import { cardOptions, cardRequest, checkId } from '../card/options.js'
import { pushAdapter } from './push.js'

const size = (bytes: number) =>
  bytes < 1024
    ? `${bytes} B`
    : bytes < 1 << 20
      ? `${(bytes / 1024).toFixed(1)} KiB`
      : `${(bytes / (1 << 20)).toFixed(1)} MiB`

export const pushVerb = verb({
  name: 'push',
  description: 'Publish an adapter on the hub, privately unless asked otherwise.',
  example: 'npx ift push org/name ./run --dry-run',
  help: 'One commit with a tag for the run; checkpoints, data and optimizer state stay. HF_TOKEN, HF_ENDPOINT. See docs/sharing.md.',
  config: ['weights', 'adapter', 'template'],
  operands: {
    repo: { description: 'org/name of the model on the hub', required: true },
    adapter: {
      description: "folder of a run or of an adapter; the config's, or its newest run, when absent",
    },
  },
  options: {
    ...cardOptions,
    public: { type: 'boolean', description: 'for everybody to see' },
    dryRun: { type: 'boolean', description: 'list the files with their sizes, and send nothing' },
    allow: {
      type: 'string',
      value: 'file:line',
      description: 'findings of the scan for secrets that are none, with commas between',
    },
    json: { type: 'boolean', description: 'the result as JSON' },
  },
  async run({ terminal, session, operands, options, untilInterrupted }) {
    const repo = checkId(operands.repo, 'The name')
    const push = (signal: AbortSignal) =>
      pushAdapter(
        session,
        {
          ...cardRequest(options),
          ...{ repo, adapter: operands.adapter, isPublic: options.public, dryRun: options.dryRun, signal },
          allow: options.allow?.split(',') ?? [],
        },
        (text) => {
          terminal.note(text)
        },
      )
    const pushed = await untilInterrupted('Stopping the push.', (signal) =>
      push(signal).catch((error: unknown) => {
        if (signal.aborted) return null
        throw error
      }),
    )
    if (pushed === null) {
      terminal.note('Stopped. A push is one commit: unless that was being made, nothing was pushed.')
      return 130
    }
    const { files, left, tag, published } = pushed
    const listed = files.map(({ name, bytes }) => ({ name, bytes }))
    if (options.json) {
      terminal.json({ repo, tag, files: listed, left, published })
      return 0
    }
    terminal.table(listed.map(({ name, bytes }) => [name, size(bytes)]))
    if (left.length > 0) terminal.note(`not pushed: ${left.join(', ')}`)
    if (published === null)
      terminal.note(`${repo} would get these files and the tag ${tag}. Nothing was sent.`)
    else
      terminal.note(
        `${published.isNew ? `made ${options.public ? 'for everybody' : 'privately'} and pushed` : 'pushed'}: ${published.url}, commit ${published.commit.slice(0, 12)}, tag ${tag}`,
      )
    return 0
  },
})
