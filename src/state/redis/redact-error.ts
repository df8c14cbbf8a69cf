/**
 * Reduces an error to the error code of Redis or of the system. Errors of ioredis contain the
 * command and its arguments (during the handshake even the password), and those of scripts may
 * quote values.
 */
export function withoutData(error: unknown): Error {
  const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown }
  if (name === 'ReplyError')
    return new Error(`Redis answered ${/^[A-Z]+/.exec(String(message))?.[0] ?? 'an error'}`)
  if (typeof code === 'string' && /^[A-Z_]+$/.test(code))
    return new Error(`Redis failed with ${code}`)
  if (message === 'Connection is closed.') return new Error('The connection to Redis was lost')
  return new Error(
    `Redis failed with ${typeof name === 'string' && /^\w+$/.test(name) ? name : 'an error'}`,
  )
}
