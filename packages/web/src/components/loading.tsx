import './loading.css'
import { useEffect, useState } from 'preact/hooks'

export interface LoadingProps {
  /** Grey bars of the final shape. */
  readonly lines?: number
  /** What is loaded: `Reading SmolLM2`; shown after 2 s. */
  readonly what?: string
  readonly done?: number
  readonly total?: number
  readonly unit?: string
}

/** Nothing for 150 ms, then bars; after 2 s what is loaded, with numbers where there are some. */
export function Loading({ lines = 3, what, done, total, unit = '' }: LoadingProps) {
  const [phase, setPhase] = useState(0)
  useEffect(() => {
    const timers = [setTimeout(() => setPhase(1), 150), setTimeout(() => setPhase(2), 2000)]
    return () => timers.forEach(clearTimeout)
  }, [])
  if (phase === 0) return null
  return (
    <div class="loading" role="status" aria-label={what}>
      {phase === 2 && what !== undefined && (
        <div class="loading-head">
          <span>{what}</span>
          {done !== undefined && total !== undefined && (
            <span class="loading-count">{`${done.toLocaleString('en')} / ${total.toLocaleString('en')} ${unit}`}</span>
          )}
        </div>
      )}
      {phase === 2 && done !== undefined && total !== undefined && (
        <div class="loading-bar">
          <div style={{ width: `${(100 * done) / Math.max(1, total)}%` }} />
        </div>
      )}
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} class="loading-line" style={{ width: `${92 - ((i * 17) % 40)}%` }} />
      ))}
    </div>
  )
}
