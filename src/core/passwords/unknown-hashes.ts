import type { FastifyBaseLogger } from 'fastify'

/** Logs the first stored hash in a format that nothing verifies, without the hash. */
export function warnOfUnknownHashes(log: FastifyBaseLogger): () => void {
  let isTold = false
  return () => {
    if (!isTold)
      log.warn(
        'fastify-crudauth: a stored password hash has a format that nothing verifies, so its user cannot sign in; add a verifier for it to "passwords.legacy"',
      )
    isTold = true
  }
}
