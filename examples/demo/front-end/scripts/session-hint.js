/**
 * Whether a session probably exists, judged by the readable CSRF cookie. Without it the page saves
 * a request that the server would refuse.
 */

/** The CSRF token, or null. Another tab may have changed the cookie. */
export function csrfCookie() {
  const [, token = null] = /(?:^|; )csrf_token=([^;]+)/.exec(document.cookie) ?? []
  return token
}

/** Deletes the readable cookie of a session that has ended. */
export function forgetCsrfCookie(token) {
  // Another tab may have signed in meanwhile.
  if (token !== csrfCookie()) return
  // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API
  document.cookie = 'csrf_token=; Path=/; Max-Age=0'
}
