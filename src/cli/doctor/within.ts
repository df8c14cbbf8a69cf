import { createDeadline, withDeadline } from '../../lib/deadline.js'

/** Waits for a part of the app at most some milliseconds. */
export const within = <T>(
  milliseconds: number,
  what: string,
  start: () => Promise<T> | T,
): Promise<T> =>
  withDeadline(
    createDeadline(milliseconds),
    async () => start(),
    what,
    (cause) => cause,
  )
