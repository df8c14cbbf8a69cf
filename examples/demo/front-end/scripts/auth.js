/** The client of the plugin, as every page uses it, and calls of the demo's own routes. */

import { AuthError, createAuthClient } from 'fastify-crudauth/client'
import { confirmIdentity } from './sudo.js'

/** `fetch`, but a request without a response is an error that the pages can show. */
const reach = (input, init) =>
  fetch(input, init).catch(() => {
    throw new AuthError('The server cannot be reached', 0, 'OFFLINE', null)
  })

export const auth = createAuthClient({
  baseUrl: '/auth',
  fetch: reach,
  onSudoRequired: () =>
    confirmIdentity({
      send: (proof) => call('POST', '/sudo', proof),
      usePasskey: async () => auth.passkeys.assert(await call('POST', '/sudo/passkey-options')),
    }),
})

/** Calls a route of the demo, and returns the body of its response. @throws AuthError */
export async function call(method, path, body) {
  const response = await auth.fetch(path, {
    method,
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  })
  const answer = await response.json().catch(() => ({}))
  if (response.ok) return answer
  const retryAfter = Number(response.headers.get('retry-after')) || null
  const message = answer.message ?? `The server answered ${response.status}`
  throw new AuthError(message, response.status, answer.code ?? null, retryAfter)
}

/** An error of the page itself, to show like those of the server. */
export const pageError = (code, message = '') => new AuthError(message, 0, code, null)
