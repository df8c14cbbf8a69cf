import { randomBytes } from 'node:crypto'
import { startOidcProvider } from '../../scripts/services/oidc-provider.js'
import { type OAuthProvider, oidc } from '../../src/index.js'
import { providerPages } from './provider-pages.js'

/** A provider on the demo's page. Its key is part of its routes and its column (`local_id`). */
export interface DemoProvider {
  readonly key: string
  /** Name on buttons. */
  readonly name: string
  /** Text to show beside its buttons. */
  readonly hint: string
  readonly provider: OAuthProvider
}

const key = 'local'

/**
 * Starts an OpenID Connect provider in this process. It asks for no password, so anyone can sign in
 * as anyone. Only for development.
 * @param baseUrl URL of the demo in browsers
 */
export async function startLocalProvider(
  baseUrl: string,
): Promise<{ readonly url: string; readonly provider: DemoProvider; stop(): Promise<void> }> {
  const clientId = 'fastify-crudauth-demo'
  const clientSecret = randomBytes(32).toString('hex')
  const { url, stop } = await startOidcProvider({
    pages: await providerPages(baseUrl),
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [`${baseUrl}/auth/oauth/${key}/callback`],
      },
    ],
  })
  const provider = oidc({
    issuer: url,
    clientId,
    clientSecret,
    // Asks for the account each time, so that you can try several in one browser.
    authorizationParams: { prompt: 'login' },
    // Only for this local provider: allows http and a loopback address.
    allowInsecure: true,
  })
  return {
    url,
    provider: {
      key,
      name: 'the local provider',
      hint: 'The local provider runs on this machine and knows two accounts: ada, whose address is confirmed, and bob, whose address is not.',
      provider,
    },
    stop,
  }
}
