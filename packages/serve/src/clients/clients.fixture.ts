// A server at an address of this machine, as clients meet it, over a tiny model with a chat template that knows functions.
import { rmSync } from 'node:fs'
import { plugin as constraints } from '@ift/constraints'
import { listen, type Listening } from '../listen.js'
import type { ServeOptions } from '../options.js'
import { script, type Script } from '../scripted.fixture.js'
import { modelWithTemplate, testServer, type TestServer } from '../server.fixture.js'

export interface ClientServer {
  readonly tiny: TestServer
  readonly url: string
  /** Decides what is answered. */
  say(text: string): Promise<void>
  /** Waits until the server says that so many requests are running. */
  running(count: number): Promise<void>
  close(): Promise<void>
}

export const question = 'Tom has 3 apples and buys 4 more. How many apples has he?'
export const weatherCall = '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Bern"}}\n</tool_call>'
export const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
} as const

/** In the form of Hermes and Qwen. */
const template = `{% if tools %}{% for tool in tools %}{{ tool | tojson }}
{% endfor %}{% endif %}{% for m in messages %}### {{ m.role }}
{{ m.content or '' }}{% for call in m.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}

{% endfor %}{% if add_generation_prompt %}### assistant
{% endif %}`

export async function clientServer(options: ServeOptions = {}): Promise<ClientServer> {
  const answers: Script = script()
  const { stamp: _, ...rest } = options
  const weights = modelWithTemplate(template)
  const tiny = await testServer(rest, { weights, template: 'chat' }, [answers.plugin, constraints])
  const at: Listening = await listen(tiny.server, { port: 0 })
  return {
    tiny,
    url: at.url,
    say: (text) => answers.say(tiny.ift, text),
    running: (count) => untilRunning(at.url, count),
    async close() {
      await at.close(0)
      await tiny.close()
      rmSync(weights, { recursive: true })
    },
  }
}

async function untilRunning(url: string, count: number): Promise<void> {
  const end = Date.now() + 20_000
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text()
    const found = Number(/^ift_num_requests_running(?:\{.*\})? (\d+)$/m.exec(text)?.[1] ?? NaN)
    if (found === count) return
    if (Date.now() > end) throw new Error(`${found} requests are running, ${count} were waited for.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
