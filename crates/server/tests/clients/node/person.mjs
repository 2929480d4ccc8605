// A person at a browser, without the browser: follows redirects, keeps cookies, fills in the forms.

import assert from 'node:assert/strict';

/** What the person presses: the first of these that the form has. */
const BUTTONS = ['sign_in', 'allow', 'yes'];
/** More pages than any way through needs. */
const MOST_PAGES = 20;

export class Person {
  #cookies = new Map();

  constructor(issuer, username, password) {
    this.origin = new URL(issuer).origin;
    this.typed = { username, password };
  }

  /**
   * Goes to an address and does what the pages ask for.
   * Returns where it ended: at the application, or on a page that asks for nothing.
   */
  async goTo(address) {
    let [url, form] = [new URL(address), undefined];
    for (let page = 0; page < MOST_PAGES; page += 1) {
      if (url.origin !== this.origin) return url;
      const response = await this.#send(url, form);
      const html = await response.text();
      const location = response.headers.get('location');
      if (location !== null) {
        [url, form] = [new URL(location, url), undefined];
        continue;
      }
      assert.ok(response.ok, `${url} answered ${response.status}: ${words(html)}`);
      const filled = this.#fillIn(html);
      if (filled === undefined) return url;
      [url, form] = [new URL(filled.action, url), filled.fields];
    }
    assert.fail(`still no end at ${url}`);
  }

  async #send(url, form) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      method: form === undefined ? 'GET' : 'POST',
      body: form,
      headers: { cookie },
      redirect: 'manual',
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/max-age=0/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return response;
  }

  #fillIn(html) {
    const form = /<form method="post" action="([^"]*)"[^>]*>(.*?)<\/form>/s.exec(html);
    if (form === null) return undefined;
    const [, action, inside] = form;
    const fields = new URLSearchParams();
    for (const [input] of inside.matchAll(/<input [^>]*>/g)) {
      const name = attribute(input, 'name');
      // A box is ticked only by somebody who wants it.
      if (attribute(input, 'type') === 'checkbox') continue;
      fields.set(name, this.typed[name] ?? attribute(input, 'value') ?? '');
    }
    const button = BUTTONS.find((value) => inside.includes(`name="action" value="${value}"`));
    if (button !== undefined) fields.set('action', button);
    return { action: unescaped(action), fields };
  }
}

function attribute(tag, name) {
  const found = new RegExp(` ${name}="([^"]*)"`).exec(tag);
  return found === null ? undefined : unescaped(found[1]);
}

function unescaped(text) {
  return text.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(code)).replaceAll('&amp;', '&');
}

/** A page's text, for a complaint. */
function words(html) {
  return html.replace(/<(script|style).*?<\/\1>/gs, ' ').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
}
