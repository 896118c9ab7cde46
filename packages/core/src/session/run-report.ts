import { writeFileAtomic } from '../files/atomic.js'
import type { TrainResult } from '../contract/train.js'
import { metricsFile, samplesFile } from '../train/line-file.js'
import { renderReport, type ReportSample } from '../train/report/report.js'
import type { Manifest, RunFolder } from '../train/run-folder.js'
import { version } from '../version.js'
import type { RunPlan } from './run-record.js'
import type { RunData } from './run-data.js'
import type { OpenModel } from './open-model.js'

/** What a report tells of. */
export interface ReportedRun {
  readonly folder: RunFolder
  readonly open: OpenModel
  readonly data: RunData
  readonly manifest: Manifest
  readonly plan: RunPlan
  /** Elements that are trained, and of the whole model. */
  readonly trainable: number
  readonly parameters: number
  readonly samples: readonly ReportSample[]
  /** Absent while the run goes on. */
  readonly result?: TrainResult | undefined
}

/** Writes report.html; returns its path. */
export async function writeRunReport(run: ReportedRun): Promise<string> {
  const { folder, open, data, manifest, plan, trainable, parameters, samples, result } = run
  const { method } = open.config.peft
  const count = (n: number) => n.toLocaleString('en')
  const html = renderReport({
    title: `${open.name} · ${method}`,
    facts: [
      ['model', `${open.name} (${open.definition.name}, ${count(parameters)} parameters)`],
      ['method', `${method}, ${count(trainable)} trained parameters`],
      [
        'data',
        `${count(data.train.size(0))} sequences${data.validation ? `, ${data.validation.size(0)} held out` : ''}`,
      ],
      ['template', open.template.name],
      ['device', open.backend.device.description],
      [
        'dtype',
        open.quantize === 'none'
          ? open.dtype
          : `${open.dtype}, base in ${open.quantize === 'blocks' ? 'the blocks of its file' : open.quantize}`,
      ],
      ['ift', `${version}, Node ${process.version}`],
    ],
    metrics: metricsFile(folder.metrics).read(),
    mixture: data.mixture,
    samples,
    answers: samplesFile(folder.samples).read(),
    plan: { ...plan.memory, budget: plan.budget },
    ...(result ? { result } : {}),
    config: JSON.stringify(manifest.config, null, 2),
  })
  await writeFileAtomic(folder.report, html)
  return folder.report
}
