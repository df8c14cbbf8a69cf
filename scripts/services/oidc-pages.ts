/** What people see at the provider, as HTML. The forms post `login` and `decision`. */
export interface ProviderPages {
  /** @param refused the account that was entered and doesn't exist */
  login(client: string, refused: string | null): string
  consent(client: string, account: string): string
  failure(message: string): string
  /** By path. */
  readonly files: Readonly<Record<string, { readonly type: string; readonly content: string }>>
  /** Of the pages and files. */
  readonly headers: Readonly<Record<string, string>>
}

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`)

const pageOf = (form: string): string =>
  `<!doctype html><html lang="en"><title>Provider</title><form method="post">${form}</form></html>`

/** Pages without a style, for tests. */
export const barePages: ProviderPages = {
  login: () =>
    pageOf(
      '<label>Account <input name="login" autofocus required></label> <button name="decision" value="allow">Sign in</button>',
    ),
  consent: (client) =>
    pageOf(
      `<p>${escapeHtml(client)} wants to know who you are.</p>
   <button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button>`,
    ),
  failure: (message) => pageOf(`<p>${escapeHtml(message)}</p>`),
  files: {},
  headers: {},
}
