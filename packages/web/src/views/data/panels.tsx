import { useMemo } from 'preact/hooks'
import type { DataReply } from '../../api/types.js'
import { binsOf } from '../../components/bars/bins.js'
import { Histogram } from '../../components/bars/histogram.js'
import { seriesAt, StackedBar, Swatch } from '../../components/bars/stacked.js'
import { Icon } from '../../components/icon.js'
import { Panel } from '../../components/panel.js'
import { Tag } from '../../components/tag.js'
import { percent, percentOf, whole } from '../../format/numbers.js'
import { tagName, type RowFilter } from './rows.js'
import { text } from './text.js'

interface PanelProps {
  readonly data: DataReply
  readonly filter: RowFilter
  readonly onFilter: (filter: RowFilter) => void
}

/** Tags of Alpaca-CoT in the order of their columns. */
const tagKeys = ['lang', 'task', 'gen'] as const

/** Relative sizes of the sources, by examples, tokens and trained tokens. */
export function Mixture({ data, filter, onFilter }: PanelProps) {
  const words = text()
  const { sources, totals } = data
  const bars = [
    [words.examples, totals.kept, (source: (typeof sources)[number]) => source.share],
    [words.tokens, totals.tokens, (source: (typeof sources)[number]) => source.tokenShare],
    [words.trainedTokens, totals.trainedTokens, (source: (typeof sources)[number]) => source.trainedShare],
  ] as const
  const tagged = tagKeys.filter((key) => sources.some(({ tags }) => tags[key] !== undefined))
  return (
    <Panel class="data-mixture" title={words.mixture} caption={words.shareOfEach}>
      <div class="data-shares">
        {bars.map(([name, total, share]) => (
          <div key={name} class="data-share">
            <span>{name}</span>
            <StackedBar
              label={words.sharesOf(
                name,
                sources.map((each) => `${each.name} ${percent(share(each), 1)}`).join(', '),
              )}
              parts={sources.map((each, i) => ({
                name: `${each.name} ${percent(share(each), 1)}`,
                value: share(each),
                series: seriesAt(i),
              }))}
            />
            <b>{whole(total)}</b>
          </div>
        ))}
      </div>
      <div class="data-sources" tabIndex={0} role="region" aria-label={words.source}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.source}</th>
              {tagged.map((key) => (
                <th scope="col" key={key}>
                  {tagName(key)}
                </th>
              ))}
              <th scope="col">{words.rows}</th>
              <th scope="col">{words.percent}</th>
              <th scope="col">{words.tokensPercent}</th>
              <th scope="col">{words.trainedPercent}</th>
            </tr>
          </thead>
          <tbody>
            {sources.map((source, i) => (
              <tr key={source.name}>
                <th scope="row">
                  <button
                    type="button"
                    class="data-source"
                    aria-pressed={filter.source === source.name}
                    onClick={() => {
                      onFilter({ ...filter, source: filter.source === source.name ? null : source.name })
                    }}
                  >
                    <Swatch series={seriesAt(i)} />
                    <span>{source.name}</span>
                  </button>
                </th>
                {tagged.map((key) => (
                  <td key={key} class="data-tag-cell">
                    {source.tags[key] !== undefined && (
                      <button
                        type="button"
                        class="data-tag"
                        title={words.rowsWith}
                        aria-pressed={filter.tag === `${key}:${source.tags[key]}`}
                        onClick={() => {
                          const tag = `${key}:${source.tags[key]}`
                          onFilter({ ...filter, tag: filter.tag === tag ? null : tag })
                        }}
                      >
                        <Tag value={source.tags[key]} />
                      </button>
                    )}
                  </td>
                ))}
                <td>{whole(source.rows)}</td>
                <td>{percentOf(source.share)}</td>
                <td>{percentOf(source.tokenShare)}</td>
                <td>{percentOf(source.trainedShare)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

/** How long rows are; a click or drag filters them. */
export function Lengths({ data, filter, onFilter }: PanelProps) {
  const words = text()
  const { lengths, maxLength, totals } = data
  const bins = useMemo(() => binsOf(lengths, 48), [lengths])
  const longer = data.reasons
    .filter(({ reason }) => reason === 'cut' || reason === 'long')
    .reduce((sum, { count }) => sum + count, 0)
  return (
    <Panel class="data-lengths" title={words.length} caption={words.perRow}>
      <Histogram
        name={`${words.length}, ${words.perRow}`}
        bins={bins}
        height={178}
        every={Math.max(1, Math.round(maxLength / 2))}
        selected={filter.span}
        mark={{
          at: maxLength,
          title: words.maxLength(maxLength),
          note: words.longer(whole(longer), percent(totals.rows === 0 ? 0 : longer / totals.rows, 1)),
        }}
        onSelect={(span) => {
          onFilter({ ...filter, span })
        }}
      />
      <p class="data-lengths-foot">
        {words.median} <b>{whole(lengths.median)}</b> {words.p95} <b>{whole(lengths.p95)}</b> {words.longest}{' '}
        <b>{whole(lengths.longest)}</b>
      </p>
    </Panel>
  )
}

/** What was changed or left out, and why; each reason filters. */
export function Changes({ data, filter, onFilter }: PanelProps) {
  const words = text()
  const { totals, reasons } = data
  return (
    <Panel class="data-changes" title={words.changed}>
      <dl class="data-big">
        <div>
          <dd>{whole(totals.kept)}</dd>
          <dt>{words.keptRows(whole(totals.rows))}</dt>
        </div>
        <div>
          <dd>{percent(totals.tokens === 0 ? null : totals.trainedTokens / totals.tokens)}</dd>
          <dt>{words.ofTokensTrained}</dt>
        </div>
      </dl>
      {reasons.length === 0 && <p class="data-none">{words.nothingChanged}</p>}
      <ul class="data-reasons">
        {reasons.map(({ reason, detail, count }) => (
          <li key={reason}>
            <button
              type="button"
              disabled={count === 0}
              aria-pressed={filter.reason === reason}
              onClick={() => {
                onFilter({ ...filter, reason: filter.reason === reason ? null : reason })
              }}
            >
              <span title={detail ?? undefined}>{words.reasons[reason]}</span>
              <b>{whole(count)}</b>
              {count > 0 && <Icon name="chevron-right" size={12} />}
            </button>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
