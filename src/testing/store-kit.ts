import { test as nodeTest } from 'node:test'

/** A store for one test, isolated from those of other tests, and how to release it. */
export interface StoreUnderTest<Store> {
  readonly store: Store
  close?(): unknown
}

/** Creates an empty store, with or without a `close` function. Called once per test. */
export type StoreFactory<Store> = () =>
  | StoreUnderTest<Store>
  | Store
  | Promise<StoreUnderTest<Store> | Store>

function isUnderTest<Store>(made: StoreUnderTest<Store> | Store): made is StoreUnderTest<Store> {
  return typeof made === 'object' && made !== null && 'store' in made
}

/** Options of the conformance tests. */
export interface ConformanceOptions {
  /**
   * Declares a test. Default: `test` of `node:test`. Any framework works whose function takes a
   * name and a function.
   */
  readonly test?: (name: string, run: () => Promise<void>) => unknown
  /** Prefix of each test name. */
  readonly name?: string
}

/** A call to the store under test, for the message of a failed test. */
interface Call {
  readonly verb: string
  readonly given: readonly unknown[]
  outcome: string
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? `${part}n` : part,
  )
  return text === undefined ? String(value) : text.length > 300 ? `${text.slice(0, 300)}…` : text
}

/** Wraps a store to record its last call. */
function recordLastCall<Store>(store: Store, last: { call: Call | null }): Store {
  if (typeof store !== 'object' || store === null) return store
  const proxy: Store & object = new Proxy(store, {
    get(target, name, receiver) {
      const member: unknown = Reflect.get(target, name, receiver)
      if (typeof member !== 'function' || typeof name !== 'string') return member
      return function (this: unknown, ...given: unknown[]) {
        const call: Call = { verb: name, given, outcome: 'has not settled yet' }
        last.call = call
        const answer: unknown = member.apply(this === proxy ? target : this, given)
        if (!(answer instanceof Promise)) return answer
        return answer.then(
          (value: unknown) => {
            call.outcome = `resolved with ${shown(value)}`
            return value
          },
          (error: unknown) => {
            call.outcome = `rejected with ${String(error)}`
            throw error
          },
        )
      }
    },
  })
  return proxy
}

/** Adds the rule, the last call and a link to the docs to the message of a failed test. */
function explained(error: unknown, sentence: string, call: Call | null, section: string): unknown {
  if (!(error instanceof Error)) return error
  const tried = call
    ? `Last call: ${call.verb}(${call.given.map(shown).join(', ')}), which ${call.outcome}.`
    : 'No call was made.'
  error.message = `The rule "${sentence}" does not hold.\n${error.message}\n${tried}\nSee ${section}.`
  return error
}

const sections: Readonly<Record<string, string>> = {
  users: '"Custom user stores" in docs/users.md of fastify-crudauth',
  passkeys: 'docs/passkeys.md of fastify-crudauth',
}

export type Declare<Store> = (sentence: string, run: (store: Store) => Promise<void>) => void

export function storeKit<Store>(
  factory: StoreFactory<Store>,
  options: ConformanceOptions,
  kind: string,
): Declare<Store> {
  const test = options.test ?? nodeTest
  const name = options.name ?? kind
  return (sentence, run) => {
    test(`${name}: ${sentence}`, async () => {
      const made = await factory()
      const last: { call: Call | null } = { call: null }
      try {
        await run(recordLastCall(isUnderTest(made) ? made.store : made, last))
      } catch (error) {
        throw explained(
          error,
          sentence,
          last.call,
          sections[kind] ?? '"State ports" in docs/state.md of fastify-crudauth',
        )
      } finally {
        if (isUnderTest(made)) await made.close?.()
      }
    })
  }
}

/**
 * Waits until `Date.now()` is after `atMs`, plus a margin for stores with another clock or coarse
 * timers.
 */
export async function past(atMs: number): Promise<void> {
  while (Date.now() <= atMs + 60)
    await new Promise((resolve) => setTimeout(resolve, atMs + 70 - Date.now()))
}

/** Makes `count` concurrent calls. Results are in the order of the calls. */
export const atOnce = <T>(count: number, call: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => call(index)))

/**
 * Runs a scenario that depends on timing. `onTime(atMs)` is false after `atMs`, when the machine
 * was too slow. The scenario then returns 'late', and is retried.
 */
export async function onSchedule(
  scenario: (onTime: (untilMs: number) => boolean) => Promise<'late' | undefined>,
): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    if ((await scenario((untilMs) => Date.now() < untilMs)) !== 'late') return
  }
  throw new Error(
    'The machine is too slow for this test: a step was late in 10 consecutive attempts',
  )
}

/** Texts that break careless encodings: separators, quotes, control characters, long texts, etc. */
export const HOSTILE_TEXTS: readonly string[] = [
  '|',
  '||%7C%25|',
  '%',
  '%25%7c',
  '\\',
  '"',
  "'",
  '`',
  '$1',
  '{}',
  '[[',
  ']]',
  '--',
  ',',
  ';',
  ':',
  '\t',
  ' ',
  '\r\n',
  '\n\n',
  '\0',
  'a\0b',
  '\u001f\u001e',
  '\u007f',
  '\u2028',
  'null',
  'undefined',
  'false',
  '0',
  '-1',
  '1e400',
  '__proto__',
  'Ünïcödé',
  '日本語',
  'שלום',
  '👩‍💻',
  'e\u0301',
  '%s%d%n',
  '{"a":"|\\n\\u0000"}',
  `${'|%'.repeat(2048)}`,
  'é'.repeat(2048),
]
