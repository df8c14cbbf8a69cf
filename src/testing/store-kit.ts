import { test as nodeTest } from 'node:test'

/** What a kit is given to try: a store for one test, alone in its namespace, and how to let it go. */
export interface StoreUnderTest<Store> {
  readonly store: Store
  close?(): unknown
}

/** Called once for each test: an empty store, alone or with how to let it go. */
export type StoreFactory<Store> = () =>
  | StoreUnderTest<Store>
  | Store
  | Promise<StoreUnderTest<Store> | Store>

function isUnderTest<Store>(made: StoreUnderTest<Store> | Store): made is StoreUnderTest<Store> {
  return typeof made === 'object' && made !== null && 'store' in made
}

export interface ConformanceOptions {
  /** Declares a test. Default: that of `node:test`; those of other frameworks fit when called with name and function. */
  readonly test?: (name: string, run: () => Promise<void>) => unknown
  /** Stands before the name of each test. */
  readonly name?: string
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
      try {
        await run(isUnderTest(made) ? made.store : made)
      } finally {
        if (isUnderTest(made)) await made.close?.()
      }
    })
  }
}

/** Waits until `Date.now()` is beyond `atMs`, and a little longer for stores with another clock or coarse timers. */
export async function past(atMs: number): Promise<void> {
  while (Date.now() <= atMs + 60)
    await new Promise((resolve) => setTimeout(resolve, atMs + 70 - Date.now()))
}

/** `count` calls at once, answers in order. */
export const atOnce = <T>(count: number, call: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => call(index)))

/**
 * Runs a scenario whose meaning depends on its steps not being late. `onTime(atMs)` is false once the machine was too slow;
 * the scenario then returns 'late' and is tried anew.
 */
export async function onSchedule(
  scenario: (onTime: (untilMs: number) => boolean) => Promise<'late' | undefined>,
): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    if ((await scenario((untilMs) => Date.now() < untilMs)) !== 'late') return
  }
  throw new Error('The machine is too slow for this test: ten times in a row a step came late')
}

/** Texts that break careless encodings: separators, quotes, controls, escapes, several alphabets, an emoji, length. */
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
