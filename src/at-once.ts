/** What is there already, or promised. */
export type Soon<T> = T | Promise<T>

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

/** What `answersAtOnce` was told of `verb`, if anything. */
export const atOnceOf = <A extends unknown[], T>(verb: (...args: A) => Promise<T>): AtOnce<A, T> | undefined =>
  known.get(verb) as AtOnce<A, T> | undefined

/** `next` of what is there, or will be. */
export const onceKnown = <T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> =>
  value instanceof Promise ? value.then(next) : next(value)
