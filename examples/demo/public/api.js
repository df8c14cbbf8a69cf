/** Calls the API. Nothing is kept here: the session's cookie is out of reach, and the CSRF token is read where it lies. */

/** An answer that is none of success, by its stable code. */
export class ApiError extends Error {
  constructor(status, body, retryAfterSeconds) {
    super(body.message ?? `The server answered ${status}`)
    this.status = status
    this.code = body.code ?? `HTTP_${status}`
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** The token in the readable cookie; null when nobody is signed in here. Another tab may have changed it meanwhile. */
export function csrfToken() {
  const [, token = null] = /(?:^|; )csrf_token=([^;]+)/.exec(document.cookie) ?? []
  return token
}

/** Forgets the readable cookie of a session that has ended, so that the next look asks for nothing. */
export function forgetCsrfToken(token) {
  // Another tab may have signed in meanwhile.
  if (token !== csrfToken()) return
  // biome-ignore lint/suspicious/noDocumentCookie: the other interface is not in every browser
  document.cookie = 'csrf_token=; Path=/; Max-Age=0'
}

async function send(method, url, body) {
  const headers = { accept: 'application/json' }
  const token = csrfToken()
  if (token !== null && method !== 'GET') headers['x-csrf-token'] = token
  // URLSearchParams brings its own content type.
  const isJson = body !== undefined && !(body instanceof URLSearchParams)
  if (isJson) headers['content-type'] = 'application/json'

  let response
  try {
    response = await fetch(url, { method, headers, body: isJson ? JSON.stringify(body) : body })
  } catch {
    throw new ApiError(0, { code: 'OFFLINE', message: 'The server cannot be reached' })
  }
  const answer = await response.json().catch(() => ({}))
  if (!response.ok)
    throw new ApiError(response.status, answer, Number(response.headers.get('retry-after')) || null)
  return answer
}

/** Sends a request and returns the answer's body. @throws ApiError */
export async function call(method, url, body) {
  try {
    return await send(method, url, body)
  } catch (error) {
    if (error.code !== 'CRUDAUTH_CSRF') throw error
    // The readable cookie is gone or stale, and the session is not: its holder gets the token anew, once.
    await send('POST', '/auth/csrf/refresh')
    return send(method, url, body)
  }
}
