import type { Soon } from '../ports/transport.js'

type AtOnce<A extends unknown[], T> = (...args: A) => T | undefined

const known = new WeakMap<object, AtOnce<never, unknown>>()

/**
 * Tells how to have the answer of `verb` without a promise; `atOnce` gives undefined where there is none at once, and asking
 * has then done nothing. It is kept by the very function: one that an app puts around it, or a mock, is asked as ever.
 */
export function answersAtOnce<A extends unknown[], T>(
  verb: (...args: A) => Promise<T>,
  atOnce: AtOnce<A, T>,
): (...args: A) => Promise<T> {
  known.set(verb, atOnce)
  return verb
}

/** Asks for the answer at once of what `verbOf` gives now; undefined where there is none. */
export function askerAtOnce<A extends unknown[], T>(verbOf: () => (...args: A) => Promise<T>): AtOnce<A, T> {
  let asked: unknown
  let atOnce: AtOnce<A, T> | undefined
  return (...args) => {
    const verb = verbOf()
    // Each request comes through here, and a verb is hardly ever replaced.
    if (verb !== asked) {
      asked = verb
      atOnce = known.get(verb) as AtOnce<A, T> | undefined
    }
    return atOnce?.(...args)
  }
}

/** `next` of what is there, or will be. */
export const onceKnown = <T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> =>
  value instanceof Promise ? value.then(next) : next(value)
