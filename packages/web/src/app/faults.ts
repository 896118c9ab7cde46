import type { ErrorCode, RunCode } from '../api/types.js'
import { language, words } from './language.js'

/** Codes of the page itself: the server said nothing. */
export type PageCode = 'unreachable' | 'broken_off'

/** Something that went wrong, as the server or the page says it. */
export interface Fault {
  readonly code: string | null
  /** In English, with values. */
  readonly message: string
  readonly hint?: string | null
}

/** What went wrong, by its code; of ift's own errors by the first word behind `IFT_`. `''`: all others. */
export type FaultWords = Readonly<Record<ErrorCode | RunCode | PageCode | `IFT_${string}` | '', string>>

/** Words of all codes. */
export const text = words<FaultWords>({
  en: {
    invalid_api_key: 'The token or key is missing, or old',
    host_not_allowed: 'The server does not answer under this name',
    origin_not_allowed: 'The server does not answer pages from elsewhere',
    not_found: 'It is not there',
    method_not_allowed: 'The path does not take this',
    content_type: 'The request is no JSON',
    body_too_large: 'The request is too large',
    invalid_json: 'The request is no JSON',
    invalid_value: 'A value is not right',
    unsupported_parameter: 'The model or server does not know a setting',
    unsupported_content: 'The model takes texts alone',
    no_model: 'The server has no model',
    loading: 'The model is still being opened',
    model_not_found: 'The server has no such model or adapter',
    context_length_exceeded: 'It does not fit the context of the model',
    adapter_not_found: 'There is no such adapter',
    adapter_unusable: 'The adapter cannot be loaded over this model',
    adapters_full: 'There is no room for another adapter',
    adapters_closed: 'The server was started with one adapter for all requests',
    queue_full: 'Too many requests wait',
    shutting_down: 'The server is being shut down',
    out_of_memory: 'The device is out of memory',
    internal_error: 'The server failed',
    run_exists: 'A run of this name exists',
    run_is_training: 'The run is training',
    run_elsewhere: 'The run trains on another machine, or of another user',
    not_running: 'The run is not training',
    cannot_start: 'No run can be started from here',
    cannot_resume: 'The run cannot be resumed',
    outside: 'The folder lies outside those of runs',
    too_many: 'Too many pages watch runs',
    superseded: 'A newer plan was asked for',
    data: 'The data cannot be read',
    reading: 'The data are still being read',
    unmapped: 'The columns of a file are not known',
    killed: 'Its process ended without saving',
    no_step: 'It ended before its first step',
    unreadable: 'The folder cannot be read',
    plan_failed: 'The plan could not be made',
    option: 'This value is not right',
    unreachable: 'The server was not reached',
    broken_off: 'The stream ended before the answer did',
    IFT_DATA: 'The data cannot be read',
    IFT_TEMPLATE: 'The template cannot be used',
    IFT_TOKENIZER: 'The tokenizer cannot be used',
    IFT_CONFIG: 'The config is not right',
    IFT_PLUGIN: 'A package is missing or cannot be used',
    IFT_ADAPTER: 'The adapter cannot be used',
    IFT_PEFT: 'The method cannot be used so',
    IFT_WEIGHTS: 'The weights cannot be read',
    IFT_MODEL: 'The model cannot be opened',
    IFT_SOURCE: 'It cannot be fetched',
    IFT_FILE: 'A file cannot be read or written',
    IFT_OUT: 'The memory does not suffice',
    IFT_RESUME: 'The run cannot be resumed',
    '': 'It failed',
  },
  zh: {
    invalid_api_key: '令牌或密钥缺失，或已失效',
    host_not_allowed: '服务不接受这个主机名',
    origin_not_allowed: '服务不接受来自别处的页面',
    not_found: '找不到',
    method_not_allowed: '此路径不接受这种请求',
    content_type: '请求不是 JSON',
    body_too_large: '请求过大',
    invalid_json: '请求不是 JSON',
    invalid_value: '有一个值不对',
    unsupported_parameter: '模型或服务不支持某项设置',
    unsupported_content: '模型只接受文字',
    no_model: '服务没有模型',
    loading: '模型还在打开',
    model_not_found: '服务没有这个模型或适配器',
    context_length_exceeded: '超出模型的上下文长度',
    adapter_not_found: '没有这个适配器',
    adapter_unusable: '这个适配器不能用于当前模型',
    adapters_full: '没有空间再加载适配器',
    adapters_closed: '服务启动时固定了一个适配器，不能再加载',
    queue_full: '排队的请求过多',
    shutting_down: '服务正在关闭',
    out_of_memory: '设备内存不足',
    internal_error: '服务出错',
    run_exists: '已有同名训练',
    run_is_training: '训练正在进行',
    run_elsewhere: '训练在别的机器上，或属于别的用户',
    not_running: '训练没有在进行',
    cannot_start: '不能从这里启动训练',
    cannot_resume: '训练不能续训',
    outside: '文件夹不在训练文件夹之内',
    too_many: '监看训练的页面过多',
    superseded: '已请求更新的计划',
    data: '无法读取数据',
    reading: '数据还在读取',
    unmapped: '文件的列含义未知',
    killed: '进程未保存就结束了',
    no_step: '在第一步之前就结束了',
    unreadable: '无法读取文件夹',
    plan_failed: '无法做出计划',
    option: '此值不对',
    unreachable: '连接不到服务',
    broken_off: '回答未完，数据流就中断了',
    IFT_DATA: '无法读取数据',
    IFT_TEMPLATE: '模板不能使用',
    IFT_TOKENIZER: '分词器不能使用',
    IFT_CONFIG: '配置不对',
    IFT_PLUGIN: '扩展包缺失或不能使用',
    IFT_ADAPTER: '适配器不能使用',
    IFT_PEFT: '方法不能这样使用',
    IFT_WEIGHTS: '无法读取权重',
    IFT_MODEL: '模型无法打开',
    IFT_SOURCE: '无法下载',
    IFT_FILE: '文件无法读写',
    IFT_OUT: '内存不足',
    IFT_RESUME: '训练不能续训',
    '': '出错了',
  },
})

/** What went wrong, in the language of the page. */
export function faultTitle({ code }: Fault): string {
  const all = text() as Readonly<Record<string, string>>
  const own = code ?? ''
  return all[own] ?? all[/^IFT_[A-Z]+/.exec(own)?.[0].replace('ADAPTERS', 'ADAPTER') ?? ''] ?? all['']!
}

/** One line: the server's own where the page is English, what its code means elsewhere. */
export const faultLine = (fault: Fault): string =>
  language.value === 'en' ? fault.message : faultTitle(fault)

/** Anything that was thrown, as a fault. */
export const faultOf = (error: unknown): Fault =>
  error instanceof Error && 'code' in error
    ? (error as Error & Fault)
    : { code: null, message: error instanceof Error ? error.message : String(error) }
