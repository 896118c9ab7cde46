import { reportStyle } from '@ift/core'

/** Style sheet of an ablation's page: that of a run's report, and what its tables and pictures have besides. */
export const style = `${reportStyle}
.wide { overflow-x: auto; }
.grid th { vertical-align: bottom; } .grid td { padding: .5rem 0; vertical-align: top; } .grid td:first-child { min-width: 6rem; max-width: 18rem; overflow-wrap: break-word; }
.grid td.n, .grid th.n { text-align: right; padding: .5rem 0 .5rem 1.6rem; white-space: nowrap; }
@media (max-width: 600px) { .grid td.n, .grid th.n { padding-left: .9rem; } .grid td:first-child { max-width: 8rem; } }
.grid tr + tr td { border-top: 1px solid var(--line); }
small { color: var(--soft); display: block; font-size: .8rem; }
.up { color: var(--good); } .down { color: var(--mark); }
:root { --good: #1f7a4d; } @media (prefers-color-scheme: dark) { :root { --good: #5fd09a; } }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: .8rem; }
.pair h4 { margin: 0; font-size: .85rem; color: var(--soft); font-weight: 500; }
.charts svg { max-width: 420px; } .bar { fill: none; stroke: var(--main); stroke-width: 2; } .dot { fill: var(--main); } .zero { stroke: var(--soft); stroke-dasharray: 3 3; }
`
