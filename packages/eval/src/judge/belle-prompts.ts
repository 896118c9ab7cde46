/**
 * What a judge of Belle-eval is told for each class of questions, word for word, since scores are compared with published ones: BELLE's
 * eval/eval_prompt.json (github.com/LianjiaTech/BELLE, Apache-2.0; Ji et al., 2023, arXiv 2303.14742). Names of classes are as
 * `belleClass` writes them.
 */
export const bellePrompts: ReadonlyMap<string, string> = new Map([
  [
    'math',
    '你是一个数学老师，给定一道数学问题，你需要判断模型回答是否正确，分数在0到1之间。模型回答的最终结果一定要和标准答案中的最终结果一致。模型回答中的解题步骤可以和标准答案不同，但一定要是正确的。请按照"得分:"这样的形式输出分数。',
  ],
  [
    'code',
    '你是一个计算机科学老师，给定一道编程问题，你需要判断模型回答能否解决该问题，分数在0到1之间。标准答案仅作为参考。模型回答中的代码步骤可以和标准答案不同，但一定要是正确的。请按照"得分:"这样的形式输出分数。',
  ],
  [
    'classification',
    '你需要通过参考标准答案，来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数。评价标准要求模型回答和标准答案越接近越好。',
  ],
  [
    'extract',
    '你需要通过参考标准答案，来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数。评价标准要求模型抽取出来的结果来自问题中给出的上下文，并且很好的回答了该问题。',
  ],
  [
    'open qa',
    '你需要通过参考标准答案，来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数。评价标准要求模型回答越接近标准答案分数越高。',
  ],
  [
    'closed qa',
    '你需要通过参考标准答案，来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数。评价标准要求模型回答和标准答案越接近越好，且模型回答结果来自问题里面提供的信息。',
  ],
  [
    'generation',
    '你需要研究评价标准来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数。评价标准要求模型回答语句通顺，符合问题要求，同时是真实且没有恶意的。',
  ],
  [
    'brainstorming',
    '你需要研究评价标准来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数 。评价标准要求模型回答的内容对于问题有帮助，同时是真实且没有恶意的。',
  ],
  [
    'rewrite',
    '你需要研究评价标准来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数 。评价标准要求模型回答能够满足问题中提出的指令。',
  ],
  [
    'translation',
    '假设你是一个语言学家，你需要通过参考标准答案，来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数 。评价标准要求翻译过后的句子保持原有的意思，并且翻译过后的句子越通顺分数越高。',
  ],
  [
    'summarization',
    '你需要通过参考标准答案，来对模型回答给出分数，满分为1分，最低分为0分。请按照"得分:"这样的形式输出分数 。评价标准要求模型回答能包含输入文本信息的重点.',
  ],
])

/** Classes whose answers are judged without the standard answer: many are as good. */
export const withoutReference: ReadonlySet<string> = new Set(['generation', 'brainstorming', 'rewrite'])
