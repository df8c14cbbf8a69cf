import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { barOf } from './layout.js'

/** The browser's `document`: the interceptor below runs in the browser. */
declare const document: { readonly cookie: string }

/** Gives the page of Swagger UI the bar of the other pages, and a width for phones. */
const barScript = `document.head.append(
  Object.assign(document.createElement('meta'), {
    name: 'viewport', content: 'width=device-width, initial-scale=1',
  }),
)
document.body.insertAdjacentHTML('afterbegin', ${JSON.stringify(barOf('/docs'))})`

/** Adds the OpenAPI page at `/docs`. Call it before registering crudAuth, to include its routes. */
export async function addDocs(app: FastifyInstance, hasProviders: boolean): Promise<void> {
  await app.register(swagger, {
    openapi: {
      info: {
        title: 'fastify-crudauth demo',
        description:
          'Accounts, cookie sessions, devices, second factors, emails and sudo mode. Sign in on the start page or with `/auth/login`, then call the other routes from here.',
        version: '0.1.0',
      },
      tags: [
        { name: 'account', description: 'Sign-up and passwords' },
        { name: 'session', description: 'Signing in and out' },
        { name: 'management', description: 'Devices and the CSRF token' },
        {
          name: 'email',
          description:
            'Verification, forgotten passwords, another address; the messages are in the mailbox',
        },
        {
          name: 'mfa',
          description: 'Second factors: authenticator apps and recovery codes',
        },
        ...(hasProviders
          ? [
              {
                name: 'oauth',
                description: 'Signing in at a provider; begins in the browser, not here',
              },
            ]
          : []),
        { name: 'demo', description: 'Routes of the demo itself, guarded by the plugin' },
      ],
    },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    // The default has `upgrade-insecure-requests`, which leaves the page blank without https.
    staticCSP: {
      'default-src': "'self'",
      'script-src': "'self'",
      // Swagger UI creates style elements.
      'style-src': "'self' 'unsafe-inline'",
      'img-src': "'self' data:",
      'object-src': "'none'",
      'base-uri': "'none'",
      'frame-ancestors': "'none'",
    },
    theme: {
      title: 'API · fastify-crudauth demo',
      css: [{ filename: 'theme.css', content: '@import "/assets/docs.css";' }],
      js: [{ filename: 'bar.js', content: barScript }],
      favicon: [
        {
          filename: 'icon.svg',
          rel: 'icon',
          type: 'image/svg+xml',
          sizes: 'any',
          content: readFileSync(new URL('front-end/icon.svg', import.meta.url), 'utf8'),
        },
      ],
    },
    uiConfig: {
      // Sent to the browser as source text. It adds the CSRF token, like a front end.
      requestInterceptor: <R extends object>(request: R): R => {
        const [, token] = /(?:^|; )csrf_token=([^;]+)/.exec(document.cookie) ?? []
        const { headers } = request as { headers?: Record<string, string> }
        if (token && headers) headers['X-CSRF-Token'] = token
        return request
      },
    },
  })
}
