/** The frame of every page: its head, its bar with the links, and the place for messages. */

/** What differs between pages. `main` is HTML. */
export interface PageContent {
  readonly title: string
  readonly main: string
  /** Path of the page, to mark its link in the bar. */
  readonly path?: string
  /** Name of its script, without a suffix. */
  readonly script?: string
}

const links = [
  ['/mailbox', 'Mailbox'],
  ['/requests', 'Requests'],
  ['/docs', 'API'],
] as const

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`)

/** The bar at the top of every page. */
export function barOf(path?: string): string {
  const items = links.map(
    ([href, name]) => `<a href="${href}"${href === path ? ' aria-current="page"' : ''}>${name}</a>`,
  )
  return `<header class="bar">
      <a class="brand" href="/"><img src="/icon.svg" alt="" width="28" height="28"><span>fastify-crudauth</span> <span class="tag">demo</span></a>
      <nav aria-label="Pages">${items.join('')}</nav>
    </header>`
}

/** A whole page. No script and no style is inline, as the content security policy demands. */
export const documentOf = ({ title, main, path, script }: PageContent): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${escapeHtml(title)} · fastify-crudauth demo</title>
    <link rel="icon" href="/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/assets/style.css">
${script ? `    <script type="module" src="/assets/${script}.js"></script>\n` : ''}  </head>
  <body>
    <a class="skip" href="#main">Skip to content</a>
    ${barOf(path)}
    <main id="main" tabindex="-1">
      <!-- Both exist from the start: screen readers ignore a live region added with its text. -->
      <div class="messages">
        <p id="status" class="message good" role="status"></p>
        <p id="alert" class="message bad" role="alert"></p>
      </div>
${script ? '      <noscript><p class="message bad">This page needs JavaScript.</p></noscript>\n' : ''}${main}
    </main>
  </body>
</html>
`
