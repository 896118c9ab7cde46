import {
  Ift,
  IftError,
  rankPlacement,
  verb,
  type LocalRanks,
  type RankPlace,
  type VerbContext,
} from '@ift/core'
import { freePort, sameProgram, startLocally, startUnderMpi, visibleGpus } from './start-ranks.js'
import { exit, report } from '../ui/report.js'
import { requirePage, startPage } from './start-page.js'
import { watchStarter } from './starter.js'
import { lossRows } from '../ui/data-view.js'
import { planRows } from './plan-view.js'
import { Progress } from '../ui/progress.js'
import { compact, duration } from '../ui/format.js'

const ranksHelp = `Several processes (docs/distributed.md):
  npx ift train --nproc 4                                  4 CPU ranks, or 4 GPUs, of this machine
  mpirun -n 4 npx ift train                                Open MPI; also srun --mpi=pmix
  torchrun --no-python --nproc-per-node 4 npx ift train    GPUs; also srun and Kubeflow
  IFT_RANK=0 IFT_WORLD_SIZE=2 IFT_MASTER_ADDR=HOST ...     any other launcher of GPU ranks
`

/** What training as one rank needs of the command line. */
interface Line extends Pick<VerbContext, 'terminal' | 'untilInterrupted' | 'session'> {
  readonly options: {
    readonly resume: string | true | undefined
    readonly json: boolean
    readonly ui: boolean
  }
}

export const train = verb({
  name: 'train',
  description: 'Fine-tune a model.',
  example: 'npx ift train --weights ./llama --data alpaca.json --train.epochs 1',
  config: [
    'weights',
    'data',
    'peft',
    'template',
    'maxLength',
    'validation',
    'train',
    'device',
    'dtype',
    'quantize',
  ],
  help: ranksHelp,
  options: {
    resume: {
      type: 'string',
      bare: true,
      value: 'run',
      description: 'go on with the run in the output folder, or with the run or checkpoint named',
    },
    output: { type: 'string', short: 'o', value: 'dir', description: 'run folder' },
    nproc: {
      type: 'integer',
      min: 1,
      max: 4096,
      description: 'train in n processes of this machine: CPU ranks under mpirun, or one for each GPU',
    },
    ui: { type: 'boolean', description: 'show the run in a browser (docs/page.md)' },
    json: { type: 'boolean', description: 'print the result as JSON' },
  },
  run(context) {
    const { terminal } = context
    const { output, nproc } = context.options
    const session =
      output === undefined
        ? context.session
        : { ...context.session, overrides: { ...context.session.overrides, output } }
    watchStarter(() => {
      terminal.failure('The process that started this one is gone.', undefined, 'IFT_RANK_FAILED')
      process.exit(exit.failed)
    })
    const placement = rankPlacement()
    if (placement.kind === 'rank') {
      // Under a launcher --nproc has done its work, or the launcher does it.
      const { place } = placement
      terminal.speakFor(place.rank)
      return Ift.using(session, (ift) => trainOneOf(ift, context, place))
    }
    return Ift.using(session, async (ift) => {
      if (placement.kind === 'start') return startMachine(ift, terminal, placement.local, nproc)
      if (nproc === undefined || nproc === 1) return trainHere(ift, context, null)
      if ((await deviceKind(ift)) === 'cpu') return startUnderMpi(nproc, sameProgram())
      const master = { host: '127.0.0.1', ports: [await freePort()] }
      return startLocally(
        nproc,
        { nodes: 1, nodeRank: 0, master, runId: String(process.pid) },
        sameProgram(),
        terminal,
      )
    })
  },
})

/** The kind of device that a run would take; it is closed again, since the ranks open their own. */
async function deviceKind(ift: Ift): Promise<string> {
  const { device } = ift.config
  if (device !== 'auto') return device.split(':')[0]!
  if (ift.names('backend').every((name) => name === 'cpu')) return 'cpu'
  return (await ift.openBackend()).device.kind
}

/** Starts the ranks of this machine where the launcher has started one process on each. */
async function startMachine(
  ift: Ift,
  terminal: VerbContext['terminal'],
  local: LocalRanks,
  nproc: number | undefined,
): Promise<number> {
  const kind = await deviceKind(ift)
  const wanted = nproc ?? (typeof local.perNode === 'number' ? local.perNode : visibleGpus())
  if (kind === 'cpu' || local.perNode === 'cpu')
    throw new IftError(
      'IFT_RANKS_NO_MPI',
      `${local.launcher} starts ranks without MPI, over which CPU ranks talk.`,
      'On one machine: npx ift train --nproc 4. On several: mpirun, or the MPI runtime of Kubeflow Trainer.',
    )
  if (wanted === 0)
    throw new IftError(
      'IFT_RANKS_ENVIRONMENT',
      `${local.launcher} asks for a rank for each GPU, and this machine shows none.`,
      'Say it: npx ift train --nproc 8',
    )
  return startLocally(wanted, local, sameProgram(), terminal)
}

/** Trains as one of several ranks: an error here ends all of them, with its message. */
async function trainOneOf(ift: Ift, context: Line, place: RankPlace): Promise<number> {
  try {
    return await trainHere(ift, context, place)
  } catch (error) {
    const code = report(error, context.terminal)
    await ift.abortRanks(code, error instanceof Error ? error.message : String(error))
    // The device's thread may be waiting for ranks that are not coming, and would keep the process.
    process.exit(code)
  }
}

async function trainHere(
  ift: Ift,
  { terminal, session, options: { resume, json, ui }, untilInterrupted }: Line,
  place: RankPlace | null,
): Promise<number> {
  const shows = ui && (place?.rank ?? 0) === 0
  if (shows) requirePage(ift)
  const training = await ift.createTraining({ ...(resume === undefined ? {} : { resume }), ranks: place })
  for (const { dir, error } of training.broken)
    terminal.note(`passed over ${dir}: ${error instanceof Error ? error.message : String(error)}`)
  for (const note of training.notes) terminal.note(note)
  terminal.heading(training.resumedFrom === null ? 'Plan' : `Resuming from ${training.resumedFrom}`)
  terminal.facts(planRows(training))
  if (shows) await startPage(training.folder.dir, session, terminal)
  const { trainer } = training
  const progress = new Progress(
    terminal,
    trainer.totalSteps,
    trainer.state.step,
    () => training.open.backend.memory().peak,
  )
  trainer.hooks.log.tap('cli', (record) => {
    progress.show(record)
  })
  trainer.hooks.warning.tap('cli', (warning) => {
    terminal.note(warning)
  })
  const result = await untilInterrupted('Stopping after this step; a checkpoint will be written.', (signal) =>
    training.run(signal),
  )
  if (json) terminal.json({ ...result, mixture: training.data.mixture })
  terminal.heading(result.reason === 'interrupted' ? 'Interrupted' : 'Done')
  terminal.facts([
    ['steps', String(result.steps)],
    ['loss', Number.isNaN(result.finalLoss) ? 'no step was left' : result.finalLoss.toFixed(4)],
    [
      'tokens',
      `${compact(result.tokens)} in ${duration(result.seconds)} (${compact(result.tokens / result.seconds)}/s)`,
    ],
    ...(result.passedOver > 0
      ? [['passed over', `${result.passedOver} rows that gave no sample`] as [string, string]]
      : []),
    ...training.data.fillings.flatMap(({ name }) =>
      training.data.datasets
        .filter((one) => one.name === name)
        .flatMap((one) => lossRows(one, training.data.limit, training.open.config.maxLength)),
    ),
    ['output', result.output],
    ['report', training.folder.report],
  ])
  for (const warning of result.warnings) terminal.note(warning)
  if (result.reason === 'interrupted') terminal.note('Go on with: npx ift train --resume')
  return result.reason === 'interrupted' ? 130 : 0
}
