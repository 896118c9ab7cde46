import { useRef, useState } from 'preact/hooks'
import { postJson } from '../../api/client.js'
import type { RunCheckpoint, RunReply } from '../../api/types.js'
import { pathOf } from '../../app/routes.js'
import { isPhone } from '../../app/width.js'
import { Button } from '../../components/button.js'
import { Popover } from '../../components/popover.js'
import { StatePill } from '../../components/state-pill.js'
import { bytes, fixed, whole } from '../../format/numbers.js'
import { clock, duration } from '../../format/time.js'
import { methodOf } from '../runs/method.js'
import { pillOf } from '../runs/state.js'
import { marksOf } from './marks.js'
import type { Summary } from './summary.js'
import { text } from './text.js'

/** How far a run is, with its evaluations and checkpoints under the bar. */
export function Progress({
  run,
  left,
  isLive,
  isLost,
  summary,
}: {
  readonly run: RunReply
  readonly left: number | null
  readonly isLive: boolean
  readonly isLost: boolean
  readonly summary: Summary
}) {
  const words = text()
  const [open, setOpen] = useState<{ checkpoint: RunCheckpoint; anchor: Element } | null>(null)
  const bar = useRef<HTMLDivElement>(null)
  const total = run.totalSteps ?? run.plan?.steps ?? null
  const step = Math.max(run.step ?? 0, summary.step ?? 0)
  const share = total === null || total === 0 ? 0 : Math.min(1, step / total)
  const plan = run.plan
  const marks =
    total === null ? [] : marksOf(total, plan?.evalEvery ?? 0, plan?.saveEvery ?? 0, run.checkpoints)
  const ends = left === null ? null : new Date(Date.now() + left * 1000)
  const epochs = plan?.epochs ?? null
  return (
    <section class={`run-progress${isLost && isLive ? ' run-faint' : ''}`} aria-label={words.progress}>
      <div class="run-progress-head">
        {isPhone.value && <StatePill {...pillOf(run, isLost && isLive)} />}
        <b class="run-progress-step">
          {isPhone.value ? `${whole(step)} / ${whole(total)}` : words.stepOf(whole(step), whole(total))}
        </b>
        {epochs !== null && !isPhone.value && (
          <span>{words.epochOf(fixed(epochs * share, 2), fixed(epochs, 2))}</span>
        )}
        <span class="run-space" />
        {!isPhone.value && summary.elapsed !== null && (
          <span>
            {isLive ? words.elapsed(duration(summary.elapsed)) : words.took(duration(summary.elapsed))}
          </span>
        )}
        {isLive && !isLost && (
          <>
            <b>{left === null ? words.estimating : words.left(duration(left))}</b>
            {ends !== null && !isPhone.value && <span>{words.doneAbout(clock(ends))}</span>}
          </>
        )}
      </div>
      <div
        class="run-bar"
        ref={bar}
        role="progressbar"
        aria-label={words.progress}
        aria-valuemin={0}
        aria-valuemax={total ?? undefined}
        aria-valuenow={step}
      >
        <div class={`run-bar-part run-bar-${run.state}`} style={{ width: `${share * 100}%` }} />
      </div>
      <div class="run-ticks">
        {marks.map((mark) => {
          const style = { left: `${(100 * mark.step) / Math.max(1, total ?? 1)}%` }
          if (mark.checkpoint === null) return <span key={mark.step} class="run-tick" style={style} />
          const checkpoint = mark.checkpoint
          return (
            <button
              key={mark.step}
              type="button"
              class="run-tick run-tick-disk"
              style={style}
              aria-label={words.checkpoint(mark.step)}
              title={words.checkpoint(mark.step)}
              onClick={(event) => {
                setOpen({ checkpoint, anchor: event.currentTarget })
              }}
            />
          )
        })}
      </div>
      {!isPhone.value && (
        <div class="run-progress-foot">
          <span>
            {plan !== null && words.ticks(plan.evalEvery, plan.saveEvery)}{' '}
            {run.checkpoints.length > 0 &&
              words.kept(run.checkpoints.map((each) => whole(each.step)).join(', '))}
          </span>
          <span class="run-space" />
          <span class="run-facts">
            {[run.base, methodOf(run), run.data.join(' + '), run.plan?.dtype].filter(Boolean).join(' · ')}
          </span>
        </div>
      )}
      {open !== null && (
        <Popover
          anchor={open.anchor}
          label={words.checkpoint(open.checkpoint.step)}
          onClose={() => {
            setOpen(null)
          }}
        >
          <CheckpointMenu run={run} checkpoint={open.checkpoint} />
        </Popover>
      )}
    </section>
  )
}

function CheckpointMenu({ run, checkpoint }: { readonly run: RunReply; readonly checkpoint: RunCheckpoint }) {
  const words = text()
  const isNewest = run.checkpoints.every(({ step }) => step <= checkpoint.step)
  return (
    <div class="run-checkpoint">
      <b>
        {words.checkpoint(checkpoint.step)}
        {checkpoint.best && ` · ${words.best}`}
      </b>
      <span>
        {clock(new Date(checkpoint.written))} · {bytes(checkpoint.bytes)}
      </span>
      <Button
        kind="quiet"
        icon="open"
        off={checkpoint.model === null && words.notServed}
        href={pathOf('chat', null, { model: checkpoint.model ?? '' })}
      >
        {words.openInChat}
      </Button>
      <Button
        kind="quiet"
        icon="compare"
        off={checkpoint.model === null && words.notServed}
        href={pathOf('compare', null, { with: checkpoint.model ?? '' })}
      >
        {words.compare}
      </Button>
      {run.canResume && isNewest && (
        <Button
          kind="quiet"
          icon="play"
          onClick={() => void postJson(`/api/runs/${encodeURIComponent(run.id)}/resume`, {})}
        >
          {words.resumeFrom(checkpoint.step)}
        </Button>
      )}
    </div>
  )
}
