/** Style sheet of the report; follows the reader's light or dark setting. */
export const style = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #e2e4e8; --card: #f7f8f9; --main: #2f6fde; --mark: #d9622b; }
@media (prefers-color-scheme: dark) { :root { --ink: #eceef1; --soft: #9aa1ab; --line: #33383f; --card: #1b1f24; --main: #74a5ff; --mark: #ff9a66; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 1180px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.facts { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 500; color: var(--soft); padding: .15rem 1.2rem .15rem 0; vertical-align: top; white-space: nowrap; }
td { overflow-wrap: anywhere; }
.columns th + th, .columns td + td { text-align: right; padding: .15rem 0 .15rem 1.2rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 1rem; margin-top: 1.5rem; }
figure { margin: 0; padding: .8rem; background: var(--card); border-radius: 8px; }
figcaption { font-weight: 600; } svg { width: 100%; height: auto; display: block; }
svg text { font-size: 11px; fill: var(--soft); } .grid { stroke: var(--line); }
path { fill: none; stroke-width: 1.8; } path.main { stroke: var(--main); } path.faint { stroke: var(--main); opacity: .35; stroke-width: 1; }
.answers { overflow-x: auto; } .answers td { min-width: 14rem; max-width: 24rem; white-space: pre-wrap; vertical-align: top; padding: .3rem 1.2rem .3rem 0; border-top: 1px solid var(--line); }
circle.mark { fill: var(--mark); } circle.main, circle.faint { fill: var(--main); }
.legend { margin: 0; font-size: .8rem; color: var(--soft); } .legend span { margin-right: 1rem; }
.legend span::before { content: '●'; margin-right: .3rem; color: var(--main); } .legend .faint::before { opacity: .35; } .legend .mark::before { color: var(--mark); }
pre { background: var(--card); padding: .8rem; border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; margin: .4rem 0; }
pre.prompt { color: var(--soft); } pre.expected { border-left: 3px solid var(--mark); }
article { margin-bottom: 1.2rem; }
`

/** Style sheet of a chart that is a file of its own. */
export const imageStyle = `
svg { --ink: #1c2024; --soft: #60646c; --line: #e2e4e8; --ground: #ffffff; --main: #2f6fde; --mark: #d9622b; }
@media (prefers-color-scheme: dark) { svg { --ink: #eceef1; --soft: #9aa1ab; --line: #33383f; --ground: #14171b; --main: #74a5ff; --mark: #ff9a66; } }
text { font: 11px system-ui, sans-serif; fill: var(--soft); } .title { font-size: 14px; font-weight: 600; fill: var(--ink); }
.ground { fill: var(--ground); } .grid { stroke: var(--line); } path { fill: none; stroke-width: 1.8; }
path.main { stroke: var(--main); } path.faint { stroke: var(--main); opacity: .35; stroke-width: 1; }
circle.mark { fill: var(--mark); } circle.main { fill: var(--main); } circle.faint { fill: var(--main); opacity: .35; }
`
