import './likely.css'
import { nats } from '../../components/chips.js'
import type { CompareSession } from './session.js'
import { summary, type Round, type Side } from './comparison.js'
import { difference, repeatsFour } from './difference.js'
import { FirstMark } from './round.js'
import { text } from './text.js'

const signed = (value: number, digits: number): string => `${value > 0 ? '+' : ''}${nats(value, digits)}`

function Row({
  name,
  by,
}: {
  readonly name: 'A' | 'B'
  readonly by: readonly [number | null, number | null]
}) {
  const [a, b] = by
  return (
    <tr>
      <th scope="row">
        <span class={`side-letter side-letter-${name}`}>{name}</span>
      </th>
      <td>{a === null ? '—' : nats(a, 3)}</td>
      <td>{b === null ? '—' : nats(b, 3)}</td>
      <td class="likely-difference">{a === null || b === null ? '—' : signed(b - a, 3)}</td>
    </tr>
  )
}

const repeats = ({ answer }: Side) => repeatsFour((answer.tokens ?? []).map((token) => token.text))
const changed = ({ a, b }: Round) => difference(a!.content, b!.content).changed

/** What both models make of both answers. */
export function Likely({ session }: { readonly session: CompareSession }) {
  const { rounds } = session.comparison.value
  const scored = rounds.filter(({ scores }) => scores !== null)
  const all = summary(rounds, repeats, changed)
  const pair = (a: string, b: string, difference: string, name: string) => (
    <tr>
      <th scope="row">{name}</th>
      <td>{a}</td>
      <td>{b}</td>
      <td class="likely-difference">{difference}</td>
    </tr>
  )
  return (
    <div class="likely">
      <h2 class="likely-title">{text().likely}</h2>
      <p class="likely-text">{text().likelyText}</p>
      {scored.length > 0 && (
        <table class="likely-table">
          <thead>
            <tr>
              <th scope="col">{text().answer}</th>
              <th scope="col">{text().by('A')}</th>
              <th scope="col">{text().by('B')}</th>
              <th scope="col">B − A</th>
            </tr>
          </thead>
          {scored.map(({ id, text: prompt, scores }) => (
            <tbody key={id}>
              <tr>
                <th scope="rowgroup" colSpan={4} class="likely-prompt">
                  <span title={prompt}>{prompt}</span>
                </th>
              </tr>
              <Row name="A" by={[scores!.aByA, scores!.aByB]} />
              <Row name="B" by={[scores!.bByA, scores!.bByB]} />
            </tbody>
          ))}
        </table>
      )}
      {all.count > 0 && (
        <>
          <h2 class="likely-title likely-over">{text().over(all.count)}</h2>
          <table class="likely-table likely-summary">
            <thead>
              <tr>
                <td />
                <th scope="col">A</th>
                <th scope="col">B</th>
                <th scope="col">B − A</th>
              </tr>
            </thead>
            <tbody>
              {pair(
                all.tokens.a!.toFixed(1),
                all.tokens.b!.toFixed(1),
                signed(all.tokens.b! - all.tokens.a!, 1),
                text().tokensMean,
              )}
              {pair(
                `${all.ended.a} / ${all.count}`,
                `${all.ended.b} / ${all.count}`,
                signed(all.ended.b! - all.ended.a!, 0),
                text().endedByItself,
              )}
              {pair(
                `${all.repeats.a} / ${all.count}`,
                `${all.repeats.b} / ${all.count}`,
                signed(all.repeats.b! - all.repeats.a!, 0),
                text().repeats,
              )}
              {pair('', '', `${(100 * all.changed!).toFixed(0)} %`, text().changed)}
            </tbody>
          </table>
        </>
      )}
      <p class="likely-legend">
        <mark class="only-a">{text().onlyIn('A')}</mark> <mark class="only-b">{text().onlyIn('B')}</mark>
        <span class="likely-first">
          <FirstMark />
          {text().firstDifference}
        </span>
      </p>
    </div>
  )
}
