/** Files that a first run begins with. */
export interface Example {
  readonly config: Readonly<Record<string, unknown>> & { readonly output: string }
  /** Contents by name. */
  readonly files: Readonly<Record<string, string>>
}

const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

const row = (instruction: string, output: string) => ({ instruction, output })

/** By the name that `init --example` takes. A test compares rows, questions and config with docs/tutorial.md, which explains them. */
export const examples: Readonly<Record<'smollm2', Example>> = {
  smollm2: {
    config: {
      weights: 'HuggingFaceTB/SmolLM2-135M-Instruct',
      data: ['rows.jsonl'],
      peft: { method: 'lora', r: 16, targetModules: 'all-linear' },
      train: { epochs: 10, batchSize: 4, learningRate: 1e-3 },
      output: 'first-run',
    },
    files: {
      'rows.jsonl': lines([
        row(
          'When is the Lindenhof café open?',
          'The Lindenhof is open from 8 to 18 on weekdays and from 9 to 16 on Saturdays. It is closed on Sundays.',
        ),
        row('Is the Lindenhof open on Sundays?', 'No, the Lindenhof is closed on Sundays.'),
        row('Where is the Lindenhof?', 'The Lindenhof is at 12 Harbour Lane, next to the old lighthouse.'),
        row(
          'How do I get to the Lindenhof by tram?',
          'Take tram 4 to Harbour Lane. The Lindenhof is two minutes from the stop, next to the old lighthouse.',
        ),
        row(
          'What is the speciality of the Lindenhof?',
          'The speciality of the Lindenhof is plum cake with roasted walnuts.',
        ),
        row(
          'Does the Lindenhof have a cake without nuts?',
          'Yes, the apple cake of the Lindenhof has no nuts in it.',
        ),
        row('Can I pay by card at the Lindenhof?', 'Yes, the Lindenhof takes cards from 5 euros on.'),
        row(
          'Are dogs allowed in the Lindenhof?',
          'Yes, dogs are welcome in the Lindenhof. There is a bowl of water at the door.',
        ),
        row('Who runs the Lindenhof?', 'The Lindenhof is run by Mara and Jonas Keller.'),
        row(
          'Does the Lindenhof take reservations?',
          'The Lindenhof takes reservations for six people or more, by phone at 555 0142.',
        ),
        row(
          'How much is a coffee at the Lindenhof?',
          'A coffee at the Lindenhof is 2.80 euros, and a refill is free.',
        ),
        row('Does the Lindenhof have oat milk?', 'Yes, the Lindenhof has oat milk, at no extra cost.'),
      ]),
      'questions.jsonl': lines([
        { instruction: 'Which tram goes to the Lindenhof?' },
        { instruction: 'Are cats allowed in the Lindenhof?' },
        { instruction: 'What does the Lindenhof charge for oat milk?' },
      ]),
    },
  },
}
