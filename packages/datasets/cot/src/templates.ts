/**
 * The prompt pairs of FLAN v2's chain-of-thought tasks: Longpre et al. 2023, "The Flan Collection",
 * https://github.com/google-research/FLAN, flan/v2/templates.py, Apache-2.0. The texts are given here as they appear in
 * data formatted with them; of aqua's 15 pairs the 14 that occur there. {question}, {answer} and {rationale} stand for
 * the columns of a row.
 */
export interface TemplatePair {
  readonly instruction: string
  readonly output: string
}

const pair = (instruction: string, output: string): TemplatePair => ({ instruction, output })

// Ends that many pairs share, behind a space or on a line of their own.
const soTheAnswer = 'So, the answer is {answer}.'
const soAnswer = 'So the answer is {answer}.'
const soTheFinal = 'So, the final answer is {answer}.'
const soFinal = 'So the final answer is {answer}.'
const thus = 'Thus, the answer is {answer}.'
const therefore = 'Therefore, the answer is {answer}.'
const thereforeFinal = 'Therefore, the final answer is {answer}.'
const theAnswer = 'The answer: {answer}.'
const theAnswerIs = 'The answer is {answer}.'
const theFinal = 'The final answer: {answer}.'
const final = 'Final answer: {answer}.'
const then = (end: string) => `{rationale} ${end}`
const below = (end: string) => `{rationale}\n${end}`

const derived = {
  aqua: [
    pair(
      'Give a quick stream of consciousness before answering the following question. {question}',
      below(theAnswer),
    ),
    pair('Give stream of consciousness and then the final answer. {question}', below(theFinal)),
    pair("Q: {question} Let's give some random thoughts before answering.", below(therefore)),
    pair("Question: {question} Let's think first. Some random reasoning:", then(theFinal)),
    pair('Some question: {question}\nSome stream of consciousness:', then(theAnswer)),
    pair("Student: {question}.\nAnother student: Let's say, hmmm...\n", then(final)),
    pair('Use some thinking to answer the following question. {question}', then(soFinal)),
    pair('{question} Hmmm, my stream of consciousness:', then(soTheAnswer)),
    pair("{question} Let's think first. Stream of consciousness:", below(soTheAnswer)),
    pair("{question} Now, let's think a bit. Some random thoughts:", below(theFinal)),
    pair("{question} OK. Let's think. Some random thoughts first:", then(theAnswer)),
    pair('{question} Stream of consciousness first, then make a decision:', below(thus)),
    pair('{question} Stream of consciousness:', below(thus)),
    pair('{question} Think first, then make a decision. Some random thoughts:', then(soAnswer)),
  ],
  creak: [
    pair('Give the rationale and then the answer. {question}', then(theFinal)),
    pair("Given the following question, let's solve step-by-step. {question}\n", below(theFinal)),
    pair('My question: {question}\nPlease think gradually:', below(thus)),
    pair('Q: {question}\nChain-of-thought:', then(theAnswer)),
    pair("Question: {question} Let's think first. Step-by-step reasoning:", below(soTheFinal)),
    pair('{question}\nChain of thought and solution for this question is:', below(soTheAnswer)),
    pair('{question}\nYour chain-of-thought:', then(theAnswerIs)),
    pair("{question} Let's think first. Step-by-step reasoning process:", then(soTheAnswer)),
    pair('{question} Step-by-step reasoning process:', then(thereforeFinal)),
    pair('{question} The thought process:', below(therefore)),
  ],
  ecqa: [
    pair(
      "I'll give you a question, please answer with step-by-step reasoning process. {question}\n",
      below(theAnswer),
    ),
    pair(
      'Use reasoning to lead to the answer of the following question:\n{question}\n Reasoning process:',
      then(thereforeFinal),
    ),
    pair('next question: {question}\nreasoning:', then(theAnswerIs)),
    pair("{question}\nLet's think carefully first. Step-by-step reasoning process:", then(soFinal)),
    pair("{question}\nLet's think now! Step-by-step reasoning:", below(soTheFinal)),
    pair('{question}\nPlease answer and provide answer explanation.', then(theFinal)),
    pair('{question}\nStep-by-step reasoning process below:\n', then(theAnswer)),
    pair('{question} Hmmm, let me think.', below(soTheAnswer)),
    pair("{question} Let's give stream of consciousness first:", below(therefore)),
    pair("{question} Let's think step by step:", then(soTheAnswer)),
  ],
  qasc: [
    pair("Let's think step by step! {question}\nThe thinking starts now:", then(theFinal)),
    pair("Q: {question}\nLet's think step by step below.\n", below(thus)),
    pair("Question to you: {question}.\nLet's reason step-by-step:", then(final)),
    pair("Question: {question}\nLet's be accurate as possible and think step-by-step.", below(theAnswer)),
    pair('Use reasoning to answer the following question. {question}', below(soTheAnswer)),
    pair(
      "{question}\nHmmm, let me think. I don't want to be wrong, so I got to be careful.",
      then(theAnswer),
    ),
    pair("{question} Let's be accurate as possible.", below(theFinal)),
    pair("{question} Let's solve this problem gradually.\n", then(soFinal)),
    pair("{question} OK. Let's think hard:", below(soTheFinal)),
    pair('{question} Think carefully first, then make a decision. My thoughts:', then(soAnswer)),
  ],
  sensemaking: [
    pair('Answer the following question, with explanation first. {question}', below(soTheAnswer)),
    pair("Let's think step by step! {question}\n", then(theAnswer)),
    pair(
      "OK. You'll be given the following question. Please do chain-of-thought reasoning.\n{question}",
      below(thus),
    ),
    pair("Q: {question}\nLet's solve this gradually.\n", then(theAnswerIs)),
    pair('Question: {question}\nPlease answer this question gradually:', then(soAnswer)),
    pair('See question below:\n{question}\nReason slowly and give your answer.', below(theFinal)),
    pair('{question}\nHmmm, let me think. I want to lay out the solution in details.', then(theAnswerIs)),
    pair('{question} Let me think hard. Detailed solution:', below(theAnswerIs)),
    pair("{question} Let's be accurate as possible. So think first.", below(theFinal)),
    pair("{question} Let's reason step by step:", then(final)),
  ],
  strategyqa: [
    pair('Answer the following question by reasoning step-by-step. {question}', then(thereforeFinal)),
    pair('Answer the following question, but give the rationale first. {question}', then(soFinal)),
    pair("Let's answer this question slowly: {question}\n", then(soAnswer)),
    pair("Q: {question} Now, let's think step by step:", below(theAnswer)),
    pair('{question}\nChain of thought:', then(theAnswerIs)),
    pair('{question}\nThink slowly and carefully, before giving your answer.', below(soTheAnswer)),
    pair('{question} Given the above question, please answer with reasoning first!', below(therefore)),
    pair('{question} Hmmm, my chain of thoughts:', then(final)),
    pair('{question} Please answer step by step:', below(soTheFinal)),
    pair('{question} Think carefully first, then make a decision:', then(soTheAnswer)),
  ],
} satisfies Record<string, readonly TemplatePair[]>

/** Every pair of the tasks above: they speak of a question, none of its subject. */
const shared: readonly TemplatePair[] = Object.values(derived).flat()

/** In the order in which tasks are read. No formatted rows of esnli, gsm8k and qed are at hand: they take any pair. */
export const templates = {
  aqua: derived.aqua,
  creak: derived.creak,
  ecqa: derived.ecqa,
  esnli: shared,
  gsm8k: shared,
  qasc: derived.qasc,
  qed: shared,
  sensemaking: derived.sensemaking,
  strategyqa: derived.strategyqa,
} as const

export type CotTask = keyof typeof templates

export const cotTasks = Object.keys(templates) as CotTask[]
