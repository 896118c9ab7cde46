import type { ComponentChildren } from 'preact'
import type { RunReply } from '../../api/types.js'
import { isPhone } from '../../app/width.js'
import { change, fixed, gib, loss, whole } from '../../format/numbers.js'
import { settingOf, type Summary } from './summary.js'
import { text } from './text.js'

/** The key figures, each with what it is compared to. */
export function Figures({
  run,
  summary,
  faint,
}: {
  readonly run: RunReply
  readonly summary: Summary
  readonly faint: boolean
}) {
  const words = text()
  const clip = settingOf(run, 'train.clipNorm') ?? 0
  const { evalLoss, firstEval, bestEval } = summary
  const validation =
    evalLoss === null
      ? run.validationKey === null
        ? words.noValidation
        : words.notYet
      : !summary.isBest && bestEval !== null
        ? words.bestAt(loss(bestEval.loss), bestEval.step)
        : firstEval !== null && firstEval.loss !== evalLoss
          ? words.bestSince(change(evalLoss - firstEval.loss, 4), firstEval.step)
          : words.first
  return (
    <dl class={`run-figures${faint ? ' run-faint' : ''}`} aria-label={words.figures}>
      <Figure
        name={words.trainLoss}
        value={loss(summary.smoothed)}
        note={words.smoothedStep(loss(summary.loss))}
      />
      <Figure name={words.validationLoss} value={loss(evalLoss)} note={validation} />
      <Figure
        name={isPhone.value ? words.tokensPerSecondShort : words.tokensPerSecond}
        value={whole(summary.tokensPerSecond)}
        note={words.mean(whole(summary.meanTokensPerSecond))}
      />
      <Figure
        name={words.tokensTrained}
        value={whole(summary.trainedTokens)}
        note={words.ofRead(whole(summary.tokens))}
      />
      <Figure
        name={words.gradientNorm}
        value={fixed(summary.gradientNorm, 3)}
        note={
          clip === 0
            ? words.noClip
            : summary.clipped === 0
              ? words.clipNever(String(clip))
              : words.clipTimes(String(clip), whole(summary.clipped))
        }
      />
      <Figure
        name={words.memory}
        value={gib(summary.peakMemory)}
        unit="GiB"
        note={run.plan === null ? words.noPlan : words.plan(gib(run.plan.memory.total))}
      />
    </dl>
  )
}

function Figure({
  name,
  value,
  unit,
  note,
}: {
  readonly name: string
  readonly value: string
  readonly unit?: string
  readonly note: ComponentChildren
}) {
  return (
    <div class="run-figure">
      <dt>{name}</dt>
      <dd>
        <span class="run-figure-value">
          {value}
          {unit !== undefined && <small> {unit}</small>}
        </span>
        {!isPhone.value && <span class="run-figure-note">{note}</span>}
      </dd>
    </div>
  )
}
