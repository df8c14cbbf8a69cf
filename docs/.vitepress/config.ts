import { defineConfig } from 'vitepress'

const page = (text: string, link: string) => ({ text, link })

export default defineConfig({
  title: 'fastify-crudauth',
  description: 'Complete authentication for Fastify as one plugin, over your own users table',
  lang: 'en',
  cleanUrls: true,
  rewrites: { 'README.md': 'index.md' },
  // Files of the repository that are not pages of the site.
  ignoreDeadLinks: [/\/(?:SECURITY|CHANGELOG)(?:\.md)?$/, /openapi\.json$/],
  markdown: {
    // Braces in headings are parameters of routes.
    attrs: { disable: true },
    // As GitHub makes the anchors, for which the links in the pages are written.
    anchor: {
      slugify: (heading) =>
        heading
          .trim()
          .toLowerCase()
          .replace(/[^\p{L}\p{N}_ -]/gu, '')
          .replace(/ /g, '-'),
    },
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    sidebar: [
      {
        text: 'Documentation',
        items: [page('Overview', '/'), page('Getting started', '/getting-started')],
      },
      {
        text: 'Guides',
        items: [
          page('Single-page app', '/guides/single-page-app'),
          page('Front end on another origin', '/guides/cross-origin'),
          page('Mobile and native apps', '/guides/mobile'),
          page('Sign in with a provider', '/guides/providers'),
          page('Require a second factor', '/guides/second-factor'),
          page('Add passkeys', '/guides/passkeys'),
          page('Your own users table', '/guides/users-table'),
          page('Protecting routes', '/guides/protecting-routes'),
          page('Custom routes', '/guides/custom-routes'),
          page('Testing your app', '/guides/testing'),
          page('WebSockets and GraphQL', '/guides/websockets-graphql'),
          page('Several prefixes and tenants', '/guides/prefixes'),
          page('Deleting accounts', '/guides/deleting-accounts'),
          page('Rotating secrets', '/guides/rotating-secrets'),
          page('Deployment checklist', '/guides/deployment'),
          page('Troubleshooting and FAQ', '/guides/troubleshooting'),
        ],
      },
      {
        text: 'Migrating from',
        collapsed: true,
        items: [
          page('CRUDAuth', '/guides/migrate-crudauth'),
          page('@fastify/session and passport', '/guides/migrate-passport'),
          page('better-auth', '/guides/migrate-better-auth'),
          page('Auth.js', '/guides/migrate-authjs'),
          page('Lucia', '/guides/migrate-lucia'),
        ],
      },
      {
        text: 'Reference',
        items: [
          page('All routes', '/routes'),
          page('Account', '/account'),
          page('Session', '/session'),
          page('Management', '/management'),
          page('Bearer', '/bearer'),
          page('Email and recovery', '/email'),
          page('OAuth and OpenID Connect', '/oauth'),
          page('Second factor (MFA)', '/mfa'),
          page('Passkeys', '/passkeys'),
          page('Client', '/client'),
          page('Gates', '/gates'),
          page('User stores', '/users'),
          page('State and outages', '/state'),
          page('Command line', '/cli'),
          page('Configuration', '/configuration'),
          page('Errors', '/errors'),
          page('Events', '/events'),
          page('OpenAPI', '/openapi'),
        ],
      },
      {
        text: 'Explanation',
        items: [
          page('Security decisions', '/security'),
          page('OWASP ASVS 5.0', '/asvs'),
          page('Performance', '/performance'),
          page('Architecture', '/architecture'),
          page('Glossary', '/glossary'),
          page('For coding agents', '/agents'),
        ],
      },
    ],
  },
})
